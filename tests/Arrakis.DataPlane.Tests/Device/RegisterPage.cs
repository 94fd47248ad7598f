using Arrakis.Native.Memory;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>A memory file in the place of a device's: what the driver writes into its registers stays there to be read.</summary>
internal sealed class RegisterPage : IDisposable
{
    private const string Name = "test registers";

    private readonly MemoryMapping _mapping;

    public RegisterPage(int pages = 2)
    {
        File = MemoryFile.Create(Name, pages * MemoryFile.BasePageSize, PagePreference.BaseOnly);
        _mapping = MemoryMapping.Map(File.Descriptor, 0, File.Length, MappingAccess.ReadWrite);
    }

    public MemoryFile File { get; }

    /// <summary>Whether a descriptor's link in /proc is such a file's.</summary>
    public static bool IsDevice(string? link) => link == $"/memfd:{Name} (deleted)";

    /// <summary>Four bytes at a place.</summary>
    public uint this[long offset]
    {
        get => _mapping.LoadUInt32(offset);
        set => _mapping.Store(offset, value);
    }

    /// <summary>What happens to a device's registers when its memory is switched off: who touches them gets SIGBUS.</summary>
    public void SwitchOff() => File.Truncate(0);

    public void Dispose()
    {
        _mapping.Dispose();
        File.Dispose();
    }
}
