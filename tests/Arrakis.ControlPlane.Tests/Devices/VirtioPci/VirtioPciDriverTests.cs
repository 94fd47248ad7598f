using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Devices.VirtioPci;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Devices.VirtioPci;

public sealed class VirtioPciDriverTests
{
    private static readonly MacAddress s_mac = MacAddress.Parse("02:11:22:33:44:55");

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public async Task Features_are_negotiated_and_both_queues_are_enabled_before_the_device_goes(RingFormat format)
    {
        VirtioFeatures packed = format == RingFormat.Packed ? VirtioFeatures.RingPacked : VirtioFeatures.None;
        var function = new FakeVirtioFunction
        {
            Offered = VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform | VirtioFeatures.NetMac | VirtioFeatures.NetControlQueue | VirtioFeatures.RingEventIndex | VirtioFeatures.RingPacked,
        };
        Grant grant = HardwareGrants.Make(format, 128, s_mac, features: VirtioFeatures.Version1 | VirtioFeatures.NetMac | VirtioFeatures.InOrder | packed);
        (VirtioFeatures features, ushort[] places) = await VirtioPciDriver.NegotiateAsync(new CommonConfiguration(function, 0), grant, TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform | VirtioFeatures.NetMac | packed, features);
        Assert.Equal(features, function.Accepted);
        Assert.Equal([4, 5], places);
        Assert.Equal([0, 1, 3, 11, 15], function.Statuses);
        for (int queue = 0; queue < 2; queue++)
        {
            RingLayout ring = grant.Queues[queue].Ring;
            Assert.Equal((128u, 0u, 1u), (function.QueueRegister(queue, 0x18), function.QueueRegister(queue, 0x1A), function.QueueRegister(queue, 0x1C)));
            Assert.Equal(grant.Memory.IovaBase + (ulong)ring.DescriptorArea, Address(function, queue, 0x20));
            Assert.Equal(grant.Memory.IovaBase + (ulong)ring.DriverArea, Address(function, queue, 0x28));
            Assert.Equal(grant.Memory.IovaBase + (ulong)ring.DeviceArea, Address(function, queue, 0x30));
        }
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "legacy", "Version1" },
        { "past the IOMMU", "AccessPlatform" },
        { "features", "does not take the features" },
        { "small", "64 descriptors at most" },
        { "vectors", "interrupt vector" },
        { "reset", "does not finish its reset" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_device_that_cannot_is_told_why(string fault, string told)
    {
        const VirtioFeatures Needed = VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform;
        var function = new FakeVirtioFunction
        {
            Offered = Needed & ~(fault == "legacy" ? VirtioFeatures.Version1 : fault == "past the IOMMU" ? VirtioFeatures.AccessPlatform : VirtioFeatures.None),
            TakesFeatures = fault != "features",
            QueueSizeMax = fault == "small" ? (ushort)64 : (ushort)256,
            HasVectors = fault != "vectors",
            FinishesReset = fault != "reset",
        };
        FunctionFaultException thrown = await Assert.ThrowsAsync<FunctionFaultException>(() => VirtioPciDriver.NegotiateAsync(
            new CommonConfiguration(function, 0), HardwareGrants.Make(RingFormat.Split, 128, s_mac), new SteppingTime(), TestContext.Current.CancellationToken));
        Assert.Contains(told, thrown.Message, StringComparison.Ordinal);
    }

    private static ulong Address(FakeVirtioFunction function, int queue, long offset) =>
        function.QueueRegister(queue, offset) | (ulong)function.QueueRegister(queue, offset + 4) << 32;
}
