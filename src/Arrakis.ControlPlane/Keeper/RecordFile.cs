using System.Buffers.Binary;
using System.Security.Cryptography;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>
/// A small text in a memory file that is never seen half written, wherever its writer is killed: two slots are written
/// in turn, each with a sequence number and a checksum over all of it; the newest whole one counts.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    private const int SlotLength = 32 * 1024;
    private const int HeaderLength = 16 + SHA256.HashSizeInBytes; // sequence u64, length u32, padding u32, checksum
    private const int MaxTextLength = SlotLength - HeaderLength;

    private readonly MemoryFile _file;
    private ulong _sequence;

    private RecordFile(MemoryFile file) => _file = file;

    internal Descriptor Descriptor => _file.Descriptor;

    internal static RecordFile Create(string name)
    {
        MemoryFile file = MemoryFile.Create(name, 2 * SlotLength, PagePreference.BaseOnly);
        file.SetMode(0x180); // 0600
        return new RecordFile(file);
    }

    /// <summary>Opens a record that an earlier daemon wrote.</summary>
    internal static RecordFile Adopt(Descriptor descriptor) => new(new MemoryFile(descriptor, 2 * SlotLength, MemoryFile.BasePageSize));

    /// <summary>The newest whole text, or null where there is none.</summary>
    internal byte[]? Read()
    {
        byte[]? newest = null;
        byte[] slot = new byte[SlotLength];
        for (int i = 0; i < 2; i++)
        {
            if (_file.Read(slot, (long)i * SlotLength) != SlotLength)
            {
                continue;
            }

            ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(slot);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(slot.AsSpan(8));
            if (sequence > _sequence && length <= MaxTextLength && Checksum(slot, (int)length).AsSpan().SequenceEqual(slot.AsSpan(16, SHA256.HashSizeInBytes)))
            {
                _sequence = sequence;
                newest = slot.AsSpan(HeaderLength, (int)length).ToArray();
            }
        }

        return newest;
    }

    /// <summary>Writes a new text.</summary>
    internal void Write(ReadOnlySpan<byte> text)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(text.Length, MaxTextLength);
        byte[] slot = new byte[HeaderLength + text.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(slot, ++_sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(slot.AsSpan(8), (uint)text.Length);
        text.CopyTo(slot.AsSpan(HeaderLength));
        Checksum(slot, text.Length).CopyTo(slot, 16);
        if (_file.Write(slot, (long)(_sequence & 1) * SlotLength) != slot.Length)
        {
            throw new IOException("A record was written in part.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static byte[] Checksum(byte[] slot, int length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(slot, 0, 16);
        hash.AppendData(slot, HeaderLength, length);
        return hash.GetHashAndReset();
    }
}
