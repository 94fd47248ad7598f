using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>Memory that a driver shares with the device, between two stretches that the device must neither read nor write.</summary>
internal sealed unsafe class GuardedMemory : IDisposable
{
    /// <summary>What descriptors call its first byte.</summary>
    public const ulong Iova = 0x1_0000_0000;

    /// <summary>What the addresses of a ring's parts call it.</summary>
    public const ulong FrontEnd = 0x7000_0000_0000;

    private const int Guard = 4096;

    private readonly MemoryFile _file;
    private readonly MemoryMapping _mapping;
    private readonly byte[] _guard = new byte[Guard];
    private readonly int _length;

    /// <param name="length">Bytes that are shared.</param>
    public GuardedMemory(int length)
    {
        _length = length;
        _file = MemoryFile.Create("fuzz", Guard + length + Guard, PagePreference.BaseOnly);
        _mapping = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        for (int i = 0; i < Guard; i++)
        {
            _guard[i] = ForeignBytes.At(i);
        }

        _guard.CopyTo(new Span<byte>(_mapping.Start, Guard));
        _guard.CopyTo(new Span<byte>(_mapping.Start + Guard + length, Guard));
        Table = new MemoryTable(new MappedRegion(_mapping, Guard, (ulong)length, new Iova(Iova), new FrontEndAddress(FrontEnd)));
    }

    /// <summary>What is shared, as the device sees it.</summary>
    public MemoryTable Table { get; }

    /// <summary>What is shared.</summary>
    public Span<byte> Bytes => new(_mapping.Start + Guard, _length);

    /// <summary>Whether nothing was written around it.</summary>
    public bool IsIntact => new ReadOnlySpan<byte>(_mapping.Start, Guard).SequenceEqual(_guard)
        && new ReadOnlySpan<byte>(_mapping.Start + Guard + _length, Guard).SequenceEqual(_guard);

    /// <inheritdoc/>
    public void Dispose()
    {
        Table.Dispose();
        _file.Dispose();
    }
}
