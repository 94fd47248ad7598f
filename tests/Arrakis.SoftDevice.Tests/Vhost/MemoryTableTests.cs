using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.VhostUser;
using Tmds.Linux;

namespace Arrakis.SoftDevice.Tests.Vhost;

public sealed class MemoryTableTests : IDisposable
{
    private readonly MemoryFile _file = MemoryFile.Create("table", 16 * 4096, PagePreference.BaseOnly);
    private readonly DeviceUnderTest _device = new();

    public static TheoryData<string, ulong, ulong, ulong, ulong> Wrong() => new()
    {
        { "empty", 0, 0, 0, 0 },
        { "longer than its file", 0, 17 * 4096, 0, 0 },
        { "past its file's end", 0, 4096, 0, 16 * 4096 },
        { "offset huge", 0, 4096, 0, ulong.MaxValue },
        { "offset and size wrap", 0, 4096, 0, ulong.MaxValue - 4095 },
        { "size huge", 0, ulong.MaxValue, 0, 0 },
        { "size of the sign bit", 0, 1UL << 63, 0, 0 },
        { "device addresses wrap", ulong.MaxValue - 4094, 4096, 0, 0 },
        { "front end's addresses wrap", 0, 4096, ulong.MaxValue - 4094, 0 },
    };

    public void Dispose()
    {
        _device.Dispose();
        _file.Dispose();
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_region_that_makes_no_sense_is_refused(string why, ulong guest, ulong size, ulong user, ulong offset)
    {
        AssertRefused([new VhostMemoryRegion(guest, size, user, offset)], _file.Descriptor);
        Assert.Contains(_device.Log.Lines, line => line.Contains("SetMemoryTable", StringComparison.Ordinal));
        Assert.NotEmpty(why);
    }

    [Theory]
    [InlineData(0, 4096, 4095, 1 << 20)] // device addresses
    [InlineData(0, 4096, 1 << 20, 4095)] // front end's addresses
    [InlineData(4095, 8192, 0, 1 << 20)]
    [InlineData(0, 0, 0, 0)]
    public void Regions_that_overlap_are_refused(ulong firstGuest, ulong firstUser, ulong secondGuest, ulong secondUser) =>
        AssertRefused(
            [new VhostMemoryRegion(firstGuest, 4096, firstUser, 0), new VhostMemoryRegion(secondGuest, 4096, secondUser, 8192)],
            _file.Descriptor,
            _file.Descriptor);

    [Fact]
    public void Regions_that_touch_and_start_anywhere_in_a_page_are_taken()
    {
        AssertTaken(
            [new VhostMemoryRegion(0, 4096, 0, 100), new VhostMemoryRegion(4096, 5, 4096, 8191), new VhostMemoryRegion(ulong.MaxValue - 4095, 4096, ulong.MaxValue - 4095, 0)],
            _file.Descriptor,
            _file.Descriptor,
            _file.Descriptor);
    }

    [Fact]
    public void Eight_regions_are_taken_and_nine_refused()
    {
        VhostMemoryRegion[] regions = [.. Enumerable.Range(0, 9).Select(i => new VhostMemoryRegion((ulong)i << 20, 4096, (ulong)i << 20, 0))];
        AssertTaken(regions[..8], [.. Enumerable.Repeat(_file.Descriptor, 8)]);
        AssertRefused(regions, [.. Enumerable.Repeat(_file.Descriptor, 9)]);
        AssertTaken([]);
    }

    [Fact]
    public void A_count_that_does_not_fit_the_payload_is_refused()
    {
        foreach (uint count in (uint[])[0, 2, 8, uint.MaxValue])
        {
            using FrontEnd frontEnd = _device.Connect(0);
            byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
            _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(0, 4096, 0, 0)]);
            _ = BitConverter.TryWriteBytes(table, count);
            frontEnd.Send(VhostUserRequest.SetMemoryTable, table, _file.Descriptor);
            Assert.True(frontEnd.IsClosed());
        }
    }

    [Fact]
    public void A_file_of_the_largest_size_there_is_does_no_harm()
    {
        using MemoryFile file = MemoryFile.Create("huge", 4096, PagePreference.BaseOnly);
        file.Truncate(long.MaxValue);
        foreach (ulong offset in (ulong[])[0, 4096, (ulong)long.MaxValue - 4096])
        {
            ulong size = (ulong)long.MaxValue - offset;
            using FrontEnd frontEnd = _device.Connect(0);
            byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
            _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(0, size, 0, offset)]);
            frontEnd.Send(VhostUserRequest.SetMemoryTable, table, file.Descriptor);
            Assert.True(frontEnd.IsClosed());
        }

        AssertTaken([new VhostMemoryRegion(0, 4096, 0, 0)], file.Descriptor);
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_refused()
    {
        using Descriptor readOnly = _file.OpenReadOnlyCopy();
        AssertRefused([new VhostMemoryRegion(0, 4096, 0, 0)], readOnly);
    }

    [Fact]
    public void A_file_on_a_disk_or_a_device_is_refused()
    {
        string path = Path.Combine(AppContext.BaseDirectory, $"region-{Environment.ProcessId}");
        File.WriteAllBytes(path, new byte[4096]);
        try
        {
            using Descriptor disk = Open(path);
            AssertRefused([new VhostMemoryRegion(0, 4096, 0, 0)], disk);
            Assert.Contains(_device.Log.Lines, line => line.Contains("not a file in memory", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(path);
        }

        using Descriptor zero = Open("/dev/zero");
        AssertRefused([new VhostMemoryRegion(0, 4096, 0, 0)], zero);
    }

    [Fact]
    public void Something_that_is_no_file_is_refused()
    {
        using FrontEnd other = _device.Connect(1);
        AssertRefused([new VhostMemoryRegion(0, 4096, 0, 0)], other.Socket.Descriptor);
        AssertRefused([new VhostMemoryRegion(0, 4096, 0, 0)], other.Call.Descriptor);
    }

    private void AssertRefused(VhostMemoryRegion[] regions, params Descriptor[] files)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        SendTable(frontEnd, regions, files);
        Assert.True(frontEnd.IsClosed());
    }

    private void AssertTaken(VhostMemoryRegion[] regions, params Descriptor[] files)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        SendTable(frontEnd, regions, files);
        frontEnd.Barrier();
    }

    private static void SendTable(FrontEnd frontEnd, VhostMemoryRegion[] regions, Descriptor[] files)
    {
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + regions.Length * VhostMemoryRegion.Length];
        _ = VhostMemoryRegion.WriteTable(table, regions);
        frontEnd.Send(VhostUserRequest.SetMemoryTable, table, files);
    }

    private static unsafe Descriptor Open(string path)
    {
        fixed (byte* bytes = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
        {
            return new Descriptor(LibC.open(bytes, LibC.O_RDWR | LibC.O_CLOEXEC));
        }
    }
}
