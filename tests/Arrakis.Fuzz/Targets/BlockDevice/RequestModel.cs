using System.Buffers.Binary;
using System.Text;
using Arrakis.SoftDevice.Blocks;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>What the device has to answer to a request in a chain that is one, as virtio 1.2 §5.2.6 has it, and what the request does.</summary>
internal static class RequestModel
{
    /// <summary>The most bytes of one read or write.</summary>
    private const int MaxTransfer = 4 << 20;

    private static readonly UInt128 _unit = (uint)BlockMachine.BlockSize;

    /// <summary>Carries a request out on the machine's expected content.</summary>
    /// <param name="machine">Whose content it is.</param>
    /// <param name="function">The function that is asked; its area is what it is when the request is taken.</param>
    /// <param name="header">The request's header.</param>
    /// <param name="sent">What the driver sends behind the header.</param>
    /// <param name="room">What it has room for before the status; takes what the device writes there.</param>
    /// <returns>The status, and bytes written with it.</returns>
    public static (VirtioBlockStatus Status, uint Written) Answer(BlockMachine machine, int function, VirtioBlockRequest header, ReadOnlySpan<byte> sent, Span<byte> room)
    {
        BlockArea? area = machine.Port(function).Area;
        bool mayWrite = area is { IsReadOnly: false };
        VirtioBlockStatus status = VirtioBlockStatus.Error;
        int written = 0;
        switch (area is null ? null : (VirtioBlockType?)header.Type)
        {
            case null:
                break;
            case VirtioBlockType.Read:
                if (TryFind(function, header.Sector, room.Length, MaxTransfer, out int first, out int count))
                {
                    status = VirtioBlockStatus.Ok;
                    written = room.Length;
                    for (int i = 0; i < count; i++)
                    {
                        machine.BlockOf(function, first + i).CopyTo(room[(i * BlockMachine.BlockSize)..]);
                    }
                }

                break;
            case VirtioBlockType.Write:
                if (mayWrite && TryFind(function, header.Sector, sent.Length, MaxTransfer, out first, out count))
                {
                    status = VirtioBlockStatus.Ok;
                    for (int i = 0; i < count; i++)
                    {
                        sent.Slice(i * BlockMachine.BlockSize, BlockMachine.BlockSize).CopyTo(machine.BlockOf(function, first + i));
                    }
                }

                break;
            case VirtioBlockType.Flush:
                status = VirtioBlockStatus.Ok;
                break;
            case VirtioBlockType.GetId:
                if (room.Length >= VirtioBlockRequest.IdLength)
                {
                    status = VirtioBlockStatus.Ok;
                    written = VirtioBlockRequest.IdLength;
                    room[..written].Clear();
                    _ = Encoding.ASCII.GetBytes($"arrakis-blk{function}", room);
                }

                break;
            case VirtioBlockType.Discard or VirtioBlockType.WriteZeroes:
                if (mayWrite && sent.Length == VirtioBlockSegment.Length)
                {
                    status = Zero(machine, function, header.Type, sent);
                }

                break;
            default:
                status = VirtioBlockStatus.Unsupported;
                break;
        }

        return (status, (uint)written + VirtioBlockRequest.StatusLength);
    }

    private static VirtioBlockStatus Zero(BlockMachine machine, int function, VirtioBlockType type, ReadOnlySpan<byte> segment)
    {
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(segment);
        uint sectors = BinaryPrimitives.ReadUInt32LittleEndian(segment[8..]);
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(segment[12..]);
        long most = machine.IsDisk ? 1L << 30 : 1L << 20;
        if (flags > (type == VirtioBlockType.WriteZeroes ? 1u : 0u))
        {
            return VirtioBlockStatus.Unsupported;
        }

        if (!TryFind(function, sector, sectors * 512L, most, out int first, out int count))
        {
            return VirtioBlockStatus.Error;
        }

        if (type == VirtioBlockType.Discard && !machine.IsDisk)
        {
            return VirtioBlockStatus.Unsupported; // memory offers none
        }

        for (int i = 0; i < count; i++)
        {
            machine.BlockOf(function, first + i).Clear();
        }

        return VirtioBlockStatus.Ok;
    }

    // In numbers that cannot overflow.
    private static bool TryFind(int function, ulong sector, long length, long most, out int first, out int count)
    {
        UInt128 start = (UInt128)sector * 512u;
        UInt128 end = start + (UInt128)length;
        bool isInside = length > 0 && length <= most && end <= (uint)BlockMachine.LengthOf(function) * _unit
            && start % _unit == 0u && end % _unit == 0u;
        first = isInside ? (int)(start / _unit) : 0;
        count = isInside ? (int)(length / BlockMachine.BlockSize) : 0;
        return isInside;
    }
}
