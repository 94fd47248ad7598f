using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire;
using CsCheck;

namespace Arrakis.ControlPlane.Tests.Bindings;

/// <summary>The ledger against a plain list of who has what, over random sequences of reservations and releases.</summary>
public sealed class LedgerModelTests
{
    private const long UserMemory = 5 * 2 * 1024 * 1024;
    private const long UserRate = 1_000_000;
    private const long DeviceRate = 1_500_000;
    private const int UserFunctions = 4;
    private static readonly MacAddress[] s_macs = [.. Enumerable.Range(1, 3).Select(static i => MacAddress.Parse($"02:00:00:00:00:0{i}", null))];

    private static readonly PolicyDocument s_policy = new()
    {
        Rules =
        [
            new PolicyRule
            {
                Name = "all", Anyone = true, Devices = ["*"], VirtualFunctions = UserFunctions, QueueSize = 256, MemoryBytes = UserMemory, RateBitsPerSecond = UserRate,
                Macs = new MacRule(MacRuleKind.Local, []),
            },
        ],
    };

    private static readonly Gen<Step> s_step =
        from release in Gen.Int[0, 2]
        from user in Gen.UInt[1, 3]
        from device in Gen.Int[0, 2]
        from buffers in Pick.From(16, 1024, 2048)
        from rate in Pick.From<long?>(null, 1, 300_000, 900_000)
        from mac in Gen.Int[-1, 2]
        from address in Gen.Int[0, 4]
        from index in Gen.Int[0, 100]
        select new Step(release == 0, user, device, buffers, rate, mac, address, index);

    [Fact]
    public void Nothing_is_given_twice_no_total_is_exceeded_and_all_is_free_in_the_end()
    {
        s_step.Array[1, 60].Sample(Run, seed: Seeds.Fixed, iter: 400, threads: 1);
    }

    [Fact]
    public void Ids_and_generations_grow_over_a_restart_of_the_daemon()
    {
        using RecordFile record = RecordFile.Create("arrakis-test-ledger");
        var device = new FakeDevice("a");
        var first = new Ledger(TimeProvider.System, new Random(1));
        first.Open([device], record);
        NicReservation before = Reserve(first, new Step(false, 1, 0, 16, null, -1, 0, 0));
        var second = new Ledger(TimeProvider.System, new Random(1));
        using RecordFile left = RecordFile.Adopt(record.Descriptor.Duplicate());
        second.Open([device], left);
        NicReservation after = Reserve(second, new Step(false, 1, 0, 16, null, -1, 0, 0));

        Assert.Equal(before.Function, after.Function);
        Assert.Equal(before.Generation + 1, after.Generation);
        Assert.True(after.BindingId > before.BindingId);
    }

    private static bool Run(Step[] steps)
    {
        FakeDevice[] devices = [new("a", 3, DeviceRate, "10.1.0.0/29"), new("b", 2, null, "10.2.0.0/24")];
        using RecordFile record = RecordFile.Create("arrakis-test-ledger");
        var ledger = new Ledger(TimeProvider.System, new Random(7));
        ledger.Open(devices, record);
        List<(NicReservation Given, uint User, long Memory)> live = [];
        HashSet<ulong> ids = [];
        foreach (Step step in steps)
        {
            if (step.IsRelease)
            {
                if (live.Count > 0)
                {
                    int at = step.Index % live.Count;
                    ledger.Free(live[at].Given.BindingId);
                    live.RemoveAt(at);
                }

                continue;
            }

            try
            {
                NicReservation given = Reserve(ledger, step);
                live.Add((given, step.User, Plan(step).ChargedLength));
                Assert.True(ids.Add(given.BindingId));
            }
            catch (ArrakisException e)
            {
                Assert.NotEqual(ErrorCode.Internal, e.Code);
                Assert.NotEmpty(e.Remedy);
            }

            Check(live);
        }

        foreach ((Reservation given, _, _) in live)
        {
            ledger.Free(given.BindingId);
        }

        return devices.All(device => ledger.Functions(device).All(static function => function.BindingId is null))
            && !live.Any(entry => ledger.HasAddress(entry.Given.Address.Address))
            && Reserve(ledger, new Step(false, 9, 0, 2048, 900_000, 0, 1, 0)).Function == 0;
    }

    private static void Check(List<(NicReservation Given, uint User, long Memory)> live)
    {
        Assert.Equal(live.Count, live.Select(static entry => (entry.Given.Device.Options.Name, entry.Given.Function)).Distinct().Count());
        Assert.Equal(live.Count, live.Select(static entry => entry.Given.Mac).Distinct().Count());
        Assert.Equal(live.Count, live.Select(static entry => entry.Given.Address.Address).Distinct().Count());
        foreach (IGrouping<uint, (NicReservation Given, uint User, long Memory)> user in live.GroupBy(static entry => entry.User))
        {
            Assert.InRange(user.Count(), 0, UserFunctions);
            Assert.InRange(user.Sum(static entry => entry.Memory), 0, UserMemory);
            Assert.InRange(user.Sum(static entry => entry.Given.Rate?.BitsPerSecond ?? 0), 0, UserRate);
        }

        Assert.InRange(live.Where(static entry => entry.Given.Device.Options.Name == "a").Sum(static entry => entry.Given.Rate?.BitsPerSecond ?? 0), 0, DeviceRate);
        Assert.All(live, static entry => Assert.True(entry.Given.Device.Options.Networks[0].Contains(entry.Given.Address.Address)));
    }

    private static QueueMemoryPlan Plan(Step step) => QueueMemoryPlan.For(Request(step));

    private static BindNicRequest Request(Step step) => new()
    {
        Id = 1,
        Device = step.Device switch { 0 => "a", 1 => "b", _ => null },
        QueueSize = 64,
        Buffers = step.Buffers,
        Rate = step.Rate is { } rate ? new RateSpecifier(rate, 4096) : null,
        Mac = step.Mac < 0 ? null : s_macs[step.Mac],
        Address = step.Address == 0 ? null : step.Device == 1 ? Ipv4Prefix.Parse($"10.2.0.{step.Address}/24", null) : Ipv4Prefix.Parse($"10.1.0.{step.Address}/29", null),
    };

    private static NicReservation Reserve(Ledger ledger, Step step)
    {
        using PeerIdentity peer = Peers.Of(step.User);
        return ledger.Reserve(s_policy, peer, Request(step), Plan(step), HostAddresses.None, static (_, _) => { });
    }

    private readonly record struct Step(bool IsRelease, uint User, int Device, int Buffers, long? Rate, int Mac, int Address, int Index);
}
