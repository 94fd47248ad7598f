using System.Buffers.Binary;
using Arrakis.Wire.Nvme;

namespace Arrakis.TestBed.Nvme;

/// <summary>A namespace in memory, which does what commands say: blocks that were never written, or were given back, read as zeros.</summary>
/// <param name="blockSize">Bytes of a block.</param>
/// <param name="blockCount">Blocks.</param>
public sealed class NvmeNamespace(int blockSize, long blockCount)
{
    /// <summary>The namespace's identifier.</summary>
    public const uint Id = 1;

    // Of dataset management (NVM Command Set 1.0 §3.2.3).
    private const int RangeSize = 16;

    private readonly Dictionary<ulong, byte[]> _blocks = [];
    private readonly List<(ulong Address, int Length)> _parts = [];

    /// <summary>Bytes of a block.</summary>
    public int BlockSize => blockSize;

    /// <summary>Blocks.</summary>
    public long BlockCount => blockCount;

    /// <summary>Flushes that were done.</summary>
    public int Flushes { get; private set; }

    /// <summary>Writes that were to be durable at once.</summary>
    public int DurableWrites { get; private set; }

    /// <summary>Commands whose data an SGL descriptor described.</summary>
    public int SglCommands { get; private set; }

    /// <summary>A block's bytes.</summary>
    public ReadOnlySpan<byte> Block(ulong block) => _blocks.TryGetValue(block, out byte[]? bytes) ? bytes : new byte[blockSize];

    /// <summary>Does a command of the NVM command set.</summary>
    /// <param name="command">The command.</param>
    /// <param name="memory">Where its data is.</param>
    /// <returns>Type and code of how it ended.</returns>
    public ushort Execute(in NvmeCommand command, NvmeMemory memory)
    {
        if (command.Namespace != Id)
        {
            return NvmeStatus.InvalidNamespace;
        }

        switch (command.Opcode)
        {
            case NvmeOpcode.Flush:
                Flushes++;
                return NvmeStatus.Success;
            case NvmeOpcode.Read:
            case NvmeOpcode.Write:
                return Transfer(command, memory);
            case NvmeOpcode.WriteZeroes:
                return Clear(First(command), (command.Dword12 & 0xFFFF) + 1);
            case NvmeOpcode.DatasetManagement:
                return Deallocate(command, memory);
            default:
                return NvmeStatus.InvalidOpcode;
        }
    }

    private static ulong First(in NvmeCommand command) => command.Dword10 | (ulong)command.Dword11 << 32;

    private bool IsInside(ulong first, uint count) => first <= (ulong)blockCount && count <= (ulong)blockCount - first;

    private ushort Clear(ulong first, uint count)
    {
        if (!IsInside(first, count))
        {
            return NvmeStatus.LbaOutOfRange;
        }

        for (uint i = 0; i < count; i++)
        {
            _ = _blocks.Remove(first + i);
        }

        return NvmeStatus.Success;
    }

    private ushort Deallocate(in NvmeCommand command, NvmeMemory memory)
    {
        if (command.Dword11 != NvmeOpcode.DeallocateRanges)
        {
            return NvmeStatus.InvalidField;
        }

        int ranges = (int)(command.Dword10 & 0xFF) + 1;
        ushort wrong = memory.Walk(command, ranges * RangeSize, _parts);
        if (wrong != NvmeStatus.Success || _parts.Count != 1)
        {
            return wrong == NvmeStatus.Success ? NvmeStatus.InvalidField : wrong;
        }

        Span<byte> list = memory.At(_parts[0].Address, _parts[0].Length);
        if (list.IsEmpty)
        {
            return NvmeStatus.DataTransferError;
        }

        for (int i = 0; i < ranges; i++)
        {
            Span<byte> range = list.Slice(i * RangeSize, RangeSize);
            wrong = Clear(BinaryPrimitives.ReadUInt64LittleEndian(range[8..]), BinaryPrimitives.ReadUInt32LittleEndian(range[4..]));
            if (wrong != NvmeStatus.Success)
            {
                return wrong;
            }
        }

        return NvmeStatus.Success;
    }

    private ushort Transfer(in NvmeCommand command, NvmeMemory memory)
    {
        uint count = (command.Dword12 & 0xFFFF) + 1;
        ulong first = First(command);
        if (!IsInside(first, count))
        {
            return NvmeStatus.LbaOutOfRange;
        }

        SglCommands += command.UsesSgl ? 1 : 0;
        DurableWrites += (command.Dword12 & NvmeOpcode.ForceUnitAccess) != 0 ? 1 : 0;
        ushort wrong = memory.Walk(command, (int)count * blockSize, _parts);
        if (wrong != NvmeStatus.Success)
        {
            return wrong;
        }

        bool isWrite = command.Opcode == NvmeOpcode.Write;
        int done = 0;
        foreach ((ulong address, int length) in _parts)
        {
            Span<byte> bytes = memory.At(address, length);
            if (bytes.IsEmpty)
            {
                return NvmeStatus.DataTransferError;
            }

            for (int i = 0; i < length;)
            {
                ulong block = first + (ulong)(done / blockSize);
                int inBlock = done % blockSize;
                int piece = Math.Min(length - i, blockSize - inBlock);
                if (isWrite)
                {
                    if (!_blocks.TryGetValue(block, out byte[]? stored))
                    {
                        _blocks.Add(block, stored = new byte[blockSize]);
                    }

                    bytes.Slice(i, piece).CopyTo(stored.AsSpan(inBlock));
                }
                else
                {
                    Block(block).Slice(inBlock, piece).CopyTo(bytes[i..]);
                }

                i += piece;
                done += piece;
            }
        }

        return NvmeStatus.Success;
    }
}
