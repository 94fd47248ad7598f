using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>A driver's memory, mapped once for the driver and once for the device, as between two processes.</summary>
internal sealed unsafe class QueueMemory : IDisposable
{
    public const ulong IovaBase = 0x1_0000_0000;
    public const ulong FrontEndBase = 0x7000_0000_0000;

    private readonly MemoryMapping _driver;

    public QueueMemory(long length)
    {
        File = MemoryFile.Create("queue memory", length, PagePreference.BaseOnly);
        _driver = MemoryMapping.Map(File.Descriptor, 0, File.Length, MappingAccess.ReadWrite);
        MemoryMapping device = MemoryMapping.Map(File.Descriptor, 0, File.Length, MappingAccess.ReadWrite);
        Table = new MemoryTable(new MappedRegion(device, 0, (ulong)File.Length, new Iova(IovaBase), new FrontEndAddress(FrontEndBase)));
    }

    public MemoryFile File { get; }

    /// <summary>The device's view.</summary>
    public MemoryTable Table { get; }

    /// <summary>The driver's view.</summary>
    public byte* Start => _driver.Start;

    public long Length => File.Length;

    public Span<byte> Bytes => new(_driver.Start, (int)File.Length);

    public void Dispose()
    {
        Table.Dispose();
        _driver.Dispose();
        File.Dispose();
    }
}
