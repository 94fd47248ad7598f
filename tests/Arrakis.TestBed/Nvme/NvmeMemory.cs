using Arrakis.Wire.Nvme;

namespace Arrakis.TestBed.Nvme;

/// <summary>Memory as a controller reaches it: through the addresses that its IOMMU domain has, and no others.</summary>
/// <param name="start">The first byte, in this process.</param>
/// <param name="length">Bytes.</param>
/// <param name="iova">The controller's address of the first byte.</param>
public sealed unsafe class NvmeMemory(byte* start, long length, ulong iova)
{
    private readonly byte* _start = start;

    /// <summary>The bytes at an address. Empty where not all of them are in the memory.</summary>
    public Span<byte> At(ulong address, int count) =>
        address >= iova && address - iova <= (ulong)length && (ulong)count <= (ulong)length - (address - iova)
            ? new Span<byte>(_start + (address - iova), count)
            : default;

    /// <summary>Walks the data pointer of a command (NVMe 2.0 §4.1), strictly.</summary>
    /// <param name="command">The command.</param>
    /// <param name="bytes">Bytes of its data.</param>
    /// <param name="parts">Where they are.</param>
    /// <returns>What is wrong with the pointer; success where nothing is.</returns>
    public ushort Walk(in NvmeCommand command, int bytes, List<(ulong Address, int Length)> parts)
    {
        parts.Clear();
        if (command.UsesSgl)
        {
            // One data block descriptor: its length must be what the command transfers (§4.1.2.1).
            parts.Add((command.Data1, bytes));
            return command.Data2 == (ulong)bytes ? NvmeStatus.Success : NvmeStatus.InvalidSgl;
        }

        if ((command.Data1 & 3) != 0)
        {
            return NvmeStatus.InvalidPrpOffset;
        }

        int first = Math.Min(bytes, NvmeRegister.PageSize - (int)(command.Data1 % NvmeRegister.PageSize));
        parts.Add((command.Data1, first));
        int left = bytes - first;
        if (left == 0)
        {
            return NvmeStatus.Success;
        }

        if (left <= NvmeRegister.PageSize)
        {
            return AddPage(command.Data2, ref left, parts);
        }

        return WalkList(command.Data2, left, parts);
    }

    // Entries to the end of their page; where more pages are left than entries, the last entry is the next list.
    private ushort WalkList(ulong list, int left, List<(ulong Address, int Length)> parts)
    {
        if ((list & 7) != 0)
        {
            return NvmeStatus.InvalidPrpOffset;
        }

        while (left > 0)
        {
            Span<byte> entry = At(list, sizeof(ulong));
            if (entry.IsEmpty)
            {
                return NvmeStatus.DataTransferError;
            }

            ulong page = BitConverter.ToUInt64(entry);
            if (list % NvmeRegister.PageSize == NvmeRegister.PageSize - sizeof(ulong) && left > NvmeRegister.PageSize)
            {
                list = page;
                continue;
            }

            ushort wrong = AddPage(page, ref left, parts);
            if (wrong != NvmeStatus.Success)
            {
                return wrong;
            }

            list += sizeof(ulong);
        }

        return NvmeStatus.Success;
    }

    private static ushort AddPage(ulong page, ref int left, List<(ulong Address, int Length)> parts)
    {
        if (page % NvmeRegister.PageSize != 0)
        {
            return NvmeStatus.InvalidPrpOffset;
        }

        int length = Math.Min(left, NvmeRegister.PageSize);
        parts.Add((page, length));
        left -= length;
        return NvmeStatus.Success;
    }
}
