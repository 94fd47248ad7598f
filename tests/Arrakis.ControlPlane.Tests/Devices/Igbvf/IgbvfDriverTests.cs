using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Igbvf;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Tests.Devices.Igbvf;

public sealed class IgbvfDriverTests
{
    private const uint Reset = 1, SetMaxFrame = 5, Accepted = 0x8000_0000, Refused = 0x4000_0000;
    private static readonly MacAddress s_mac = MacAddress.Parse("02:11:22:33:44:55");

    [Fact]
    public async Task The_mailbox_is_asked_for_the_address_and_queues_are_set_up_where_the_grant_has_them()
    {
        List<uint> asked = [];
        var function = new FakePhysicalFunction
        {
            Answer = message =>
            {
                asked.Add(message[0]);
                return message[0] == Reset ? [Reset | Accepted, 0x33221102, 0x5544] : [message[0] | Accepted];
            },
        };
        Grant grant = HardwareGrants.Make(RingFormat.Igb, 256, s_mac, mtu: 1500);
        MacAddress mac = await IgbvfDriver.SetUpAsync(function, grant, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(s_mac, mac);
        Assert.Equal([Reset], asked);
        ulong receive = grant.Memory.IovaBase + (ulong)grant.Queues[0].Ring.DescriptorArea;
        ulong transmit = grant.Memory.IovaBase + (ulong)grant.Queues[1].Ring.DescriptorArea;
        Assert.Equal([(uint)receive, (uint)(receive >> 32), 256u * 16], Read(function, IgbvfRegister.ReceiveBase));
        Assert.Equal([(uint)transmit, (uint)(transmit >> 32), 256u * 16], Read(function, IgbvfRegister.TransmitBase));

        // No queue is on before all is known of it, and no interrupt is unmasked: that is the data plane's.
        AssertLast(function, IgbvfRegister.ReceiveDescriptors, after: IgbvfRegister.ReceiveControl);
        AssertLast(function, IgbvfRegister.TransmitDescriptors, after: IgbvfRegister.TransmitBase + IgbvfRegister.BaseLength);
        Assert.DoesNotContain(function.Written, static write => write.Offset == IgbvfRegister.EventMaskSet);
    }

    [Fact]
    public async Task Long_frames_are_asked_for_and_a_refusal_is_told()
    {
        uint[]? asked = null;
        var function = new FakePhysicalFunction
        {
            Answer = message =>
            {
                asked = message;
                return message[0] == Reset ? [Reset | Accepted, 0x33221102, 0x5544] : [SetMaxFrame | Refused];
            },
        };
        FunctionFaultException fault = await Assert.ThrowsAsync<FunctionFaultException>(() =>
            IgbvfDriver.SetUpAsync(function, HardwareGrants.Make(RingFormat.Igb, 256, s_mac, mtu: 1900), TimeProvider.System, TestContext.Current.CancellationToken));
        Assert.Equal([SetMaxFrame, 1900u + 14 + 4], asked![..2]);
        Assert.Contains("1918", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Reset | Refused, 0x33221102u, 0x5544u)]
    [InlineData(Reset | Accepted, 0u, 0u)]
    [InlineData(Reset | Accepted, 0x33221103u, 0x5544u)]
    [InlineData(SetMaxFrame | Accepted, 0x33221102u, 0x5544u)]
    [InlineData(Reset | Accepted, 0x33221102u, 0x6644u)]
    public async Task A_function_without_its_own_address_is_refused(uint kind, uint low, uint high)
    {
        var function = new FakePhysicalFunction { Answer = _ => [kind, low, high] };
        _ = await Assert.ThrowsAsync<FunctionFaultException>(() =>
            IgbvfDriver.SetUpAsync(function, HardwareGrants.Make(RingFormat.Igb, 256, s_mac), TimeProvider.System, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_driver_that_says_nothing_is_waited_for_only_so_long(bool finishesReset)
    {
        var time = new SteppingTime();
        var function = new FakePhysicalFunction { Answer = static _ => null, FinishesReset = finishesReset };
        FunctionFaultException fault = await Assert.ThrowsAsync<FunctionFaultException>(() =>
            IgbvfDriver.SetUpAsync(function, HardwareGrants.Make(RingFormat.Igb, 256, s_mac), time, TestContext.Current.CancellationToken));
        Assert.Contains("is its interface up?", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_that_was_pulled_out_is_noticed()
    {
        var function = new FakePhysicalFunction { Answer = static _ => null, IsGone = true };
        FunctionFaultException fault = await Assert.ThrowsAsync<FunctionFaultException>(() =>
            IgbvfDriver.SetUpAsync(function, HardwareGrants.Make(RingFormat.Igb, 256, s_mac), TimeProvider.System, TestContext.Current.CancellationToken));
        Assert.Contains("all ones", fault.Message, StringComparison.Ordinal);
    }

    private static uint[] Read(FakePhysicalFunction function, long queue) => [function.Read32(queue), function.Read32(queue + 4), function.Read32(queue + 8)];

    private static void AssertLast(FakePhysicalFunction function, long enable, long after)
    {
        int enabled = function.Written.FindIndex(write => write.Offset == enable && (write.Value & IgbvfRegister.QueueEnable) != 0);
        Assert.True(enabled > function.Written.FindIndex(write => write.Offset == after), $"0x{enable:x} comes before 0x{after:x}.");
    }
}
