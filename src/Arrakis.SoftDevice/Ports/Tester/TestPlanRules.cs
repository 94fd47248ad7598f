using Arrakis.Contract;
using Arrakis.Contract.Control;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>Which plans can be run.</summary>
internal static class TestPlanRules
{
    /// <summary>Refuses a plan that cannot be run.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.InvalidRequest"/>, naming the field.</exception>
    public static void Validate(TestPlan plan)
    {
        Require(plan.PayloadLength is >= TestFrame.StampLength and <= 1472, "payloadLength", "16 to 1472 bytes");
        Require(plan.InFlight is >= 1 and <= 4096, "inFlight", "1 to 4096 requests");

        // A rate that is no number fails both comparisons.
        Require(plan.RequestsPerSecond is null or (>= 0.001 and <= 100_000_000), "requestsPerSecond", "0.001 to 100000000, or none for a closed loop");
        Require(Enum.IsDefined(plan.Arrivals), "arrivals", "Fixed or Poisson");
        Require(plan.WarmupMilliseconds is >= 0 and <= 60_000, "warmupMilliseconds", "0 to 60000");
        Require(plan.DurationMilliseconds is >= 1 and <= 3_600_000, "durationMilliseconds", "1 to 3600000");
        Require(plan.LossTimeoutMilliseconds is >= 1 and <= 60_000, "lossTimeoutMilliseconds", "1 to 60000");
        Require(plan.MaxRequests >= 0, "maxRequests", "zero or more");
        Require(plan.TargetMac.IsUnicast, "targetMac", "the MAC of one station");
        Require(plan.Target.IsUnicast, "target", "the address of one host");
        Require(plan.Source.IsUnicast && plan.Source != plan.Target, "source", "the address of one host, other than the target");
        Require(plan.TargetPort != 0, "targetPort", "1 to 65535");
    }

    private static void Require(bool condition, string field, string allowed)
    {
        if (!condition)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"The test plan's {field} is out of range.", $"Give {allowed}.");
        }
    }
}
