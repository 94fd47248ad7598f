using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.DataPlane.Memory;

/// <summary>
/// The registers of a device that a grant names: of its file, only the pages that these are in are mapped, each once. The
/// control plane may switch the device's memory off at any time: stores then go to anonymous pages, and
/// <see cref="IsFaulted"/> is true.
/// </summary>
internal sealed unsafe class DeviceRegisters : IDisposable
{
    private const int PageSize = MemoryFile.BasePageSize;

    private readonly Dictionary<(int File, long Page), MemoryMapping> _pages = [];
    private MemoryMapping[] _mappings = [];

    /// <summary>Whether a register was touched after the device had been taken away. No system call.</summary>
    public bool IsFaulted
    {
        get
        {
            foreach (MemoryMapping mapping in _mappings)
            {
                if (mapping.IsFaulted)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Finds a register, and maps its page where that is not mapped yet. Its offset and width are checked before.</summary>
    /// <param name="register">Where it is, and what it takes.</param>
    /// <param name="place">Place of the device's file among the grant's descriptors.</param>
    /// <param name="file">The device's file.</param>
    /// <exception cref="LinuxException">The kernel refuses the mapping.</exception>
    public DeviceRegister Map(DoorbellRegister register, int place, Descriptor file)
    {
        long inPage = register.FileOffset % PageSize;
        long page = register.FileOffset - inPage;
        if (!_pages.TryGetValue((place, page), out MemoryMapping? mapping))
        {
            mapping = MemoryMapping.Map(file, page, PageSize, MappingAccess.ReadWrite);
            _pages.Add((place, page), mapping);
            _mappings = [.. _pages.Values];
        }

        return new DeviceRegister(mapping.Start + inPage, register.Width, register.Value);
    }

    public void Dispose() => Array.ForEach(_mappings, static mapping => mapping.Dispose());
}
