using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>A whole device, by its sockets: the daemon's on the one side, a front end's on the other.</summary>
public sealed class BlockSessionTests : IDisposable
{
    private const int BlockSize = 4096;
    private const int FileBlocks = 64;

    private readonly string _path = $"/dev/shm/blocks-{Guid.NewGuid():N}";
    private readonly DeviceUnderTest _device;

    public BlockSessionTests()
    {
        File.WriteAllBytes(_path, new byte[FileBlocks * BlockSize]);
        _device = new DeviceUnderTest(functions: 0, blocks: new BlockOptions(_path, BlockSize, 2));
    }

    [Fact]
    public void A_front_end_sees_the_area_that_the_daemon_gave()
    {
        Configure(1, false, new BlockExtent(10, 3), new BlockExtent(20, 5));
        using FrontEnd frontEnd = Connect(1);
        frontEnd.Send(VhostUserRequest.SetOwner, []);
        var features = (VirtioFeatures)frontEnd.Ask(VhostUserRequest.GetFeatures);
        const VirtioFeatures expected = VirtioFeatures.Version1 | VirtioFeatures.RingPacked | VirtioFeatures.RingIndirectDescriptors
            | VirtioBlockFeatures.BlockSize | VirtioBlockFeatures.MultiQueue | VirtioBlockFeatures.WriteZeroes;
        Assert.Equal(expected, features & expected);
        Assert.Equal(VirtioFeatures.None, features & (VirtioBlockFeatures.Flush | VirtioBlockFeatures.Discard | VirtioBlockFeatures.ReadOnly));
        Assert.NotEqual(0UL, frontEnd.Ask(VhostUserRequest.GetProtocolFeatures) & (ulong)VhostUserProtocolFeatures.Config);
        Assert.Equal((ulong)BlockPort.MaxQueues, frontEnd.Ask(VhostUserRequest.GetQueueCount));
        VirtioBlockConfig config = ReadConfig(frontEnd);
        Assert.Equal(8UL * BlockSize / 512, config.Capacity);
        Assert.Equal((uint)BlockSize, config.BlockSize);
        Assert.Equal(BlockPort.MaxQueues, config.QueueCount);
        Assert.Equal(128u, config.SegmentMax + 2); // with header and status: what a ring of 128 has room for

        Configure(1, true, new BlockExtent(10, 3));
        Assert.Equal(3UL * BlockSize / 512, ReadConfig(frontEnd).Capacity);
        Assert.NotEqual(VirtioFeatures.None, (VirtioFeatures)frontEnd.Ask(VhostUserRequest.GetFeatures) & VirtioBlockFeatures.ReadOnly);
        _ = Assert.IsType<DeviceDoneReply>(_device.Ask(id => new ClearBlockPortRequest { Id = id, Port = 1 }));
        Assert.Equal(0UL, ReadConfig(frontEnd).Capacity);
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void A_driver_writes_by_its_second_queue_and_is_woken(RingFormat format)
    {
        Configure(0, false, new BlockExtent(4, 8));
        using FrontEnd frontEnd = Connect(0);
        using var driver = new BlockDriver(format);
        VirtioFeatures features = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures | VirtioFeatures.RingIndirectDescriptors
            | VirtioBlockFeatures.MultiQueue | (format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0);
        Start(frontEnd, driver, features, queue: 1, format);
        byte[] data = [.. Enumerable.Range(0, BlockSize).Select(i => (byte)(i * 7))];
        Assert.NotNull(driver.TrySubmit(VirtioBlockType.Write, 8, data, 0, new RequestShape(2)));
        frontEnd.Kicks[1].Signal();
        BlockOutcome outcome = default;
        Blocking.Until(() => driver.TryTake(out outcome), "the write did not come back");

        Assert.Equal(VirtioBlockStatus.Ok, outcome.Status);
        Assert.Equal(data, File.ReadAllBytes(_path)[(5 * BlockSize)..(6 * BlockSize)]);
        Blocking.Until(frontEnd.Call.TryDrain, "the driver was not woken");
        Assert.Equal(format == RingFormat.Packed ? 4u | 1u << 15 | 4u << 16 | 1u << 31 : 1u, frontEnd.StopRing(1));
    }

    [Fact]
    public void A_second_queue_that_was_not_negotiated_ends_the_session()
    {
        using FrontEnd frontEnd = Connect(0);
        using var driver = new BlockDriver(RingFormat.Split);
        Start(frontEnd, driver, VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures, queue: 1, RingFormat.Split);
        Assert.True(frontEnd.IsClosed());
        Assert.Contains(_device.Log.Lines, line => line.Contains("VIRTIO_BLK_F_MQ", StringComparison.Ordinal));
    }

    [Fact]
    public void What_a_network_device_has_is_not_offered()
    {
        using FrontEnd frontEnd = Connect(0);
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)(VirtioFeatures.Version1 | VirtioFeatures.NetStatus));
        Assert.True(frontEnd.IsClosed());
        using FrontEnd other = Connect(0);
        other.Send(VhostUserRequest.NetSetMtu, 1500);
        Assert.True(other.IsClosed());
    }

    [Theory]
    [InlineData(2, 0, 1)]
    [InlineData(-1, 0, 1)]
    [InlineData(0, FileBlocks, 1)]
    [InlineData(0, 0, FileBlocks + 1)]
    public void A_block_port_that_cannot_be_is_refused(int port, long start, long count)
    {
        DeviceReply reply = _device.Ask(id => new ConfigureBlockPortRequest { Id = id, Port = port, Extents = [new BlockExtent(start, count)] });
        Assert.Equal(ErrorCode.InvalidRequest, Assert.IsType<DeviceErrorReply>(reply).Code);
    }

    [Fact]
    public void Counters_start_from_zero_with_an_area_unless_they_are_to_be_kept()
    {
        Configure(0, false, new BlockExtent(4, 8));
        Configure(1, false, new BlockExtent(20, 8));
        using FrontEnd frontEnd = Connect(0);
        using var driver = new BlockDriver(RingFormat.Split);
        Start(frontEnd, driver, VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures, queue: 0, RingFormat.Split);
        Assert.NotNull(driver.TrySubmit(VirtioBlockType.Write, 0, new byte[2 * BlockSize], 0, new RequestShape(2)));
        Assert.NotNull(driver.TrySubmit(VirtioBlockType.Write, 64, new byte[BlockSize], 0, new RequestShape(1)));
        frontEnd.Kicks[0].Signal();
        Blocking.Until(() => driver.TryTake(out _), "the first did not come back");
        Blocking.Until(() => driver.TryTake(out _), "the second did not come back");

        BlockCounters counters = Counters()[0];
        Assert.Equal((1L, 2L * BlockSize), (counters.Writes, counters.BytesWritten));
        Assert.Equal(1, Assert.Single(counters.Refusals).Value);
        Assert.Equal(0, Counters()[1].Writes);
        _ = Assert.IsType<DeviceDoneReply>(_device.Ask(id => new ClearBlockPortRequest { Id = id, Port = 0 }));
        _ = Assert.IsType<DeviceDoneReply>(_device.Ask(id => new ConfigureBlockPortRequest { Id = id, Port = 0, Extents = [new(4, 8)], KeepCounters = true }));
        Assert.Equal(1, Counters()[0].Writes);
        Configure(0, false, new BlockExtent(4, 8));
        Assert.Equal(0, Counters()[0].Writes);
        Assert.Empty(Counters()[0].Refusals);

        IReadOnlyList<BlockCounters> Counters() =>
            Assert.IsType<DeviceBlockCountersReply>(_device.Ask(id => new ReadBlockCountersRequest { Id = id })).Functions;
    }

    public void Dispose()
    {
        _device.Dispose();
        File.Delete(_path);
    }

    private FrontEnd Connect(int function) => new(Blocking.Connect(Path.Combine(_device.Folder, $"blk{function}.sock"), UnixSocketKind.Stream));

    private void Configure(int port, bool isReadOnly, params BlockExtent[] extents) =>
        Assert.IsType<DeviceDoneReply>(_device.Ask(id => new ConfigureBlockPortRequest { Id = id, Port = port, Extents = extents, ReadOnly = isReadOnly }));

    private static VirtioBlockConfig ReadConfig(FrontEnd frontEnd)
    {
        byte[] payload = new byte[VhostConfigRange.HeaderLength + VirtioBlockConfig.Length];
        new VhostConfigRange(0, VirtioBlockConfig.Length, 0).Write(payload);
        frontEnd.Send(VhostUserRequest.GetConfig, payload);
        return VirtioBlockConfig.Read(frontEnd.ReceiveReply(VhostUserRequest.GetConfig).AsSpan(VhostConfigRange.HeaderLength));
    }

    private static void Start(FrontEnd frontEnd, BlockDriver driver, VirtioFeatures features, uint queue, RingFormat format)
    {
        frontEnd.Send(VhostUserRequest.SetOwner, []);
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)features);
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
        _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(QueueMemory.IovaBase, (ulong)driver.Memory.Length, QueueMemory.FrontEndBase, 0)]);
        frontEnd.Send(VhostUserRequest.SetMemoryTable, table, driver.Memory.File.Descriptor);
        frontEnd.SendState(VhostUserRequest.SetVringSize, queue, (uint)driver.Layout.QueueSize);
        frontEnd.SendState(VhostUserRequest.SetVringBase, queue, format == RingFormat.Packed ? 1u << 15 : 0);
        byte[] addresses = new byte[VringAddress.Length];
        new VringAddress(
            queue,
            0,
            QueueMemory.FrontEndBase + (ulong)driver.Layout.DescriptorArea,
            QueueMemory.FrontEndBase + (ulong)driver.Layout.DeviceArea,
            QueueMemory.FrontEndBase + (ulong)driver.Layout.DriverArea,
            0).Write(addresses);
        frontEnd.Send(VhostUserRequest.SetVringAddress, addresses);
        frontEnd.Send(VhostUserRequest.SetVringCall, queue, frontEnd.Call.Descriptor);
        frontEnd.Send(VhostUserRequest.SetVringKick, queue, frontEnd.Kicks[1].Descriptor);
        frontEnd.SendState(VhostUserRequest.SetVringEnable, queue, 1);
    }
}
