using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class ModelTests
{
    private const int Functions = 3;

    // Few names, so that they meet: two identities for each function, the tester's, an outsider's and groups.
    private static readonly MacAddress[] _macs =
    [
        .. Enumerable.Range(0, 2 * Functions).Select(DeviceUnderTest.Mac),
        TesterPort.Mac, MacAddress.Parse("02:00:00:00:00:99"), MacAddress.Broadcast, MacAddress.Parse("01:00:5e:00:00:01"),
    ];

    private static readonly Ipv4Address[] _addresses = [.. Enumerable.Range(0, 2 * Functions).Select(DeviceUnderTest.Address), default, new(0xC000_0201)];

    private static readonly Gen<ModelFrame> _frame = Gen.Select(
        Gen.OneOf(_macs), Gen.OneOf(_macs), Gen.Enum<ModelPayload>(), Gen.OneOf(_macs), Gen.OneOf(_addresses), Gen.OneOf(_addresses),
        (destination, source, payload, arpMac, sender, target) => new ModelFrame(destination, source, payload, arpMac, sender, target));

    // Most frames of a function are honest, or nothing would pass.
    private static readonly Gen<Step> _send = Gen.Select(Gen.Int[ModelSwitch.Kernel, Functions - 1], _frame, Gen.Int[0, 3], (source, frame, honesty) => new Step(source, frame, honesty != 0, null));

    private static readonly Gen<Step> _configure = Gen.Select(Gen.Int[0, Functions - 1], Gen.Int[0, 2], (function, identity) => new Step(function, null, false, identity));

    [Fact]
    public void Every_frame_goes_where_a_plain_model_says() =>
        Gen.Frequency((8, _send), (1, _configure)).List[1, 300].Sample(Run, seed: Seeds.Fixed, iter: 60, threads: 1);

    private static void Run(List<Step> steps)
    {
        using var device = new SwitchUnderTest(Functions);
        var model = new ModelSwitch(Functions);
        var identities = new int?[Functions];
        foreach (Step step in steps)
        {
            if (step.Frame is null)
            {
                identities[step.Port] = step.Identity == 2 ? null : step.Port + step.Identity * Functions;
                Configure(device, model, step.Port, identities[step.Port]);
            }
            else if (step.Port == ModelSwitch.Kernel || identities[step.Port] is not null)
            {
                Send(device, model, step.Port, step.IsHonest && step.Port != ModelSwitch.Kernel ? Honest(step.Frame, identities[step.Port]!.Value) : step.Frame);
            }
        }
    }

    private static ModelFrame Honest(ModelFrame frame, int identity) =>
        frame with { Source = DeviceUnderTest.Mac(identity), ArpMac = DeviceUnderTest.Mac(identity), Sender = DeviceUnderTest.Address(identity) };

    private static void Configure(SwitchUnderTest device, ModelSwitch model, int function, int? identity)
    {
        if (identity is null)
        {
            device.Clear(function);
            model.Set(function, null);
        }
        else
        {
            device.Configure(function, identity.Value);
            model.Set(function, (DeviceUnderTest.Mac(identity.Value), DeviceUnderTest.Address(identity.Value)));
        }
    }

    private static void Send(SwitchUnderTest device, ModelSwitch model, int source, ModelFrame frame)
    {
        (string? lost, HashSet<string> receivers) = model.Switch(source, frame);
        string own = source == ModelSwitch.Kernel ? "uplink" : $"vf{source}";
        long lostBefore = lost is null ? 0 : device.Drops(own).GetValueOrDefault(lost);
        long allLostBefore = device.Drops(own).Values.Sum();
        long testerBefore = device.Drops("tester").GetValueOrDefault("not-expected");

        byte[] bytes = frame.Bytes();
        if (source == ModelSwitch.Kernel)
        {
            device.SendFromKernel(bytes);
        }
        else
        {
            device.Send(source, bytes);
        }

        for (int function = 0; function < Functions; function++)
        {
            List<byte[]> received = device.Received(function);
            if (receivers.Contains($"vf{function}"))
            {
                Assert.Equal(bytes, Assert.Single(received));
            }
            else
            {
                Assert.Empty(received);
            }
        }

        Assert.Equal(receivers.Contains("uplink") ? [bytes] : [], device.ReceivedByKernel());
        Assert.Equal(testerBefore + (receivers.Contains("tester") ? 1 : 0), device.Drops("tester").GetValueOrDefault("not-expected"));
        Assert.Equal(allLostBefore + (lost is null ? 0 : 1), device.Drops(own).Values.Sum());
        if (lost is not null)
        {
            Assert.Equal(lostBefore + 1, device.Drops(own).GetValueOrDefault(lost));
        }
    }

    private sealed record Step(int Port, ModelFrame? Frame, bool IsHonest, int? Identity);
}
