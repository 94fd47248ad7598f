using System.Buffers.Binary;
using Arrakis.Native.Memory;
using Arrakis.Native.Vfio;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>
/// The daemon's own memory for a controller: queues of commands that the daemon gives, and their data. It is in the IOMMU domain of the
/// function beside the binding's queue memory; no holder of the function has it mapped.
/// </summary>
internal sealed class NvmeMemory : IDisposable
{
    /// <summary>The controller's address of the first byte: below all queue memory, and below the addresses of interrupts.</summary>
    internal const ulong IovaBase = 0x4000_0000;

    /// <summary>Bytes of the data area.</summary>
    internal const int DataLength = 16 * NvmeRegister.PageSize;

    private const int QueuePages = 4; // Two queues of each kind.
    private const int ListPage = QueuePages;
    private const int DataPage = ListPage + 1;
    private const int Pages = DataPage + DataLength / NvmeRegister.PageSize;

    private readonly MemoryFile _file;
    private readonly MemoryMapping _mapping;

    /// <summary>Makes it, all zero.</summary>
    /// <exception cref="Native.LinuxException">No memory is left.</exception>
    internal NvmeMemory()
    {
        _file = MemoryFile.Create("arrakis-nvme", Pages * NvmeRegister.PageSize, PagePreference.BaseOnly);
        try
        {
            _mapping = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        }
        catch
        {
            _file.Dispose();
            throw;
        }

        WriteList();
    }

    /// <summary>The mapping.</summary>
    internal MemoryMapping Mapping => _mapping;

    /// <summary>The controller's address of the data area.</summary>
    internal static ulong Data => AddressOf(DataPage);

    /// <summary>The second PRP entry for so many bytes from the start of the data area on (NVMe 2.0 §4.1.1).</summary>
    internal static ulong SecondEntry(int length) =>
        length <= NvmeRegister.PageSize ? 0 : length <= 2 * NvmeRegister.PageSize ? AddressOf(DataPage + 1) : AddressOf(ListPage);

    /// <summary>Where a queue of commands is in the mapping.</summary>
    internal static long SubmissionQueue(int queue) => 2L * queue * NvmeRegister.PageSize;

    /// <summary>Where its queue of completions is.</summary>
    internal static long CompletionQueue(int queue) => (2L * queue + 1) * NvmeRegister.PageSize;

    /// <summary>The controller's address of a place in the mapping.</summary>
    internal static ulong AddressOf(long offset) => IovaBase + (ulong)offset;

    /// <summary>Lets a controller reach it.</summary>
    internal void MapInto(DmaDomain domain) => domain.Map(_mapping, new Iova(IovaBase));

    /// <summary>The data area's first bytes, each word of them read once.</summary>
    internal byte[] ReadData(int length)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i += sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i), _mapping.LoadUInt64(DataPage * NvmeRegister.PageSize + i));
        }

        return bytes;
    }

    /// <summary>Makes a page zero: nothing of an earlier command is taken for an answer to the next.</summary>
    internal void ClearPage(long offset)
    {
        for (int i = 0; i < NvmeRegister.PageSize; i += sizeof(ulong))
        {
            _mapping.Store(offset + i, 0UL);
        }
    }

    /// <summary>Makes the first page of the data area zero.</summary>
    internal void ClearData() => ClearPage(DataPage * NvmeRegister.PageSize);

    /// <summary>Makes all of the data area zero.</summary>
    internal void ClearAllData()
    {
        for (int page = 0; page < DataLength / NvmeRegister.PageSize; page++)
        {
            ClearPage((DataPage + page) * NvmeRegister.PageSize);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapping.Dispose();
        _file.Dispose();
    }

    private static ulong AddressOf(int page) => IovaBase + (ulong)page * NvmeRegister.PageSize;

    private void WriteList()
    {
        for (int i = 1; i < DataLength / NvmeRegister.PageSize; i++)
        {
            _mapping.Store(ListPage * NvmeRegister.PageSize + (i - 1) * sizeof(ulong), AddressOf(DataPage + i));
        }
    }
}
