using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.Wire.VhostUser;
using Tmds.Linux;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>Maps the regions of SET_MEM_TABLE.</summary>
internal static unsafe class FrontEndMemory
{
    private const long LargestPage = 1L << 30;

    /// <summary>Maps all regions, or none. The descriptors are not needed afterwards.</summary>
    /// <exception cref="VhostProtocolException">A region is not inside its file, or cannot be mapped.</exception>
    public static MemoryTable Map(ReadOnlySpan<VhostMemoryRegion> regions, ReadOnlySpan<Descriptor> descriptors)
    {
        var mapped = new List<MappedRegion>();
        try
        {
            for (int i = 0; i < regions.Length; i++)
            {
                mapped.Add(Map(i, regions[i], descriptors[i]));
            }

            return new MemoryTable([.. mapped]);
        }
        catch (Exception e) when (e is LinuxException or ArgumentException or VhostProtocolException)
        {
            foreach (MappedRegion region in mapped)
            {
                region.Mapping.Dispose();
            }

            throw e as VhostProtocolException ?? new VhostProtocolException($"SetMemoryTable: {e.Message}");
        }
    }

    private static MappedRegion Map(int index, VhostMemoryRegion region, Descriptor descriptor)
    {
        // A page fault in another kind of file could wait for a process that never answers, and with it the polling
        // thread and every port.
        if (!MemoryFile.IsInMemory(descriptor))
        {
            throw new VhostProtocolException($"SetMemoryTable: region {index} is not a file in memory (memfd, tmpfs or hugetlbfs)");
        }

        stat information;
        if (LibC.fstat(descriptor.Number, &information) != 0)
        {
            throw new LinuxException("fstat(memory region)");
        }

        // The file may shrink later: that is what the mapping's guard is for.
        ulong fileLength = (ulong)(long)information.st_size;
        if (region.Size == 0 || region.MapOffset > fileLength || region.Size > fileLength - region.MapOffset)
        {
            throw new VhostProtocolException(
                $"SetMemoryTable: region {index} has {region.Size} bytes from {region.MapOffset}, but its file has {fileLength}");
        }

        // A mapping starts and ends at pages of the file, which st_blksize tells for memfd and hugetlbfs.
        long page = (long)information.st_blksize;
        if (page < MemoryFile.BasePageSize || page > LargestPage || (page & (page - 1)) != 0)
        {
            page = MemoryFile.BasePageSize;
        }

        // Unsigned: a sparse file may be so long that its last page ends past the largest long.
        long offset = (long)region.MapOffset;
        long start = offset & ~(page - 1);
        ulong end = (region.MapOffset + region.Size + (ulong)page - 1) & ~((ulong)page - 1);
        if (end > long.MaxValue)
        {
            throw new VhostProtocolException($"SetMemoryTable: region {index} cannot be mapped: {region.Size} bytes");
        }

        MemoryMapping mapping = MemoryMapping.Map(descriptor, start, (long)end - start, MappingAccess.ReadWrite);
        return new MappedRegion(mapping, offset - start, region.Size, new Iova(region.GuestAddress), new FrontEndAddress(region.UserAddress));
    }
}
