using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>
/// Remembers in a file what functions were before the daemon changed them, so that a later daemon can put them back. An
/// entry is in the file before the change is made, and leaves it when the change is undone.
/// </summary>
internal sealed class PciChangeLog
{
    private const string FileName = "pci-changes.json";
    private const string UnreadableSuffix = ".unreadable";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly string _bootId;
    private readonly SortedDictionary<PciAddress, FunctionChange> _functions = [];
    private readonly SortedDictionary<PciAddress, SriovChange> _physicalFunctions = [];

    private PciChangeLog(string path, string bootId)
    {
        _path = path;
        _bootId = bootId;
    }

    /// <summary>Functions that are not what they were.</summary>
    internal IReadOnlyList<FunctionChange> Functions
    {
        get
        {
            lock (_gate)
            {
                return [.. _functions.Values];
            }
        }
    }

    /// <summary>Physical functions that do not have as many virtual functions as they had.</summary>
    internal IReadOnlyList<SriovChange> PhysicalFunctions
    {
        get
        {
            lock (_gate)
            {
                return [.. _physicalFunctions.Values];
            }
        }
    }

    /// <summary>Reads what an earlier daemon left since the machine started. A file that makes no sense is put aside.</summary>
    /// <param name="runtimeDirectory">The daemon's folder.</param>
    /// <param name="bootId">What tells this run of the machine from others: /proc/sys/kernel/random/boot_id.</param>
    /// <param name="logger">Told of a file that is put aside.</param>
    internal static PciChangeLog Open(string runtimeDirectory, string bootId, ILogger logger)
    {
        var log = new PciChangeLog(Path.Combine(runtimeDirectory, FileName), bootId);
        if (!File.Exists(log._path))
        {
            return log;
        }

        if (PciChangeRecord.TryDecode(File.ReadAllBytes(log._path)) is not { } record)
        {
            File.Move(log._path, log._path + UnreadableSuffix, overwrite: true);
            logger.LogWarning("{Path} makes no sense and is put aside: functions that it names stay bound to vfio-pci. Give them back with 'echo ADDRESS > /sys/bus/pci/drivers/vfio-pci/unbind'.", log._path);
            return log;
        }

        if (record.BootId == bootId)
        {
            foreach (FunctionChange change in record.Functions)
            {
                log._functions[change.Address] = change;
            }

            foreach (SriovChange change in record.PhysicalFunctions)
            {
                log._physicalFunctions[change.Address] = change;
            }
        }

        return log;
    }

    internal FunctionChange? Find(PciAddress address)
    {
        lock (_gate)
        {
            return _functions.GetValueOrDefault(address);
        }
    }

    internal SriovChange? FindPhysical(PciAddress address)
    {
        lock (_gate)
        {
            return _physicalFunctions.GetValueOrDefault(address);
        }
    }

    /// <summary>Remembers what a function was, unless that is remembered already.</summary>
    internal void Remember(FunctionChange change)
    {
        lock (_gate)
        {
            if (_functions.TryAdd(change.Address, change))
            {
                Save();
            }
        }
    }

    /// <summary>Remembers what a physical function was, unless that is remembered already.</summary>
    internal void Remember(SriovChange change)
    {
        lock (_gate)
        {
            if (_physicalFunctions.TryAdd(change.Address, change))
            {
                Save();
            }
        }
    }

    internal void Forget(PciAddress address)
    {
        lock (_gate)
        {
            if (_functions.Remove(address))
            {
                Save();
            }
        }
    }

    internal void ForgetPhysical(PciAddress address)
    {
        lock (_gate)
        {
            if (_physicalFunctions.Remove(address))
            {
                Save();
            }
        }
    }

    // Written beside and moved over the old file: a reader sees the one or the other, wherever the writer is killed.
    private void Save()
    {
        var record = new PciChangeRecord
        {
            Version = PciChangeRecord.CurrentVersion,
            BootId = _bootId,
            Functions = [.. _functions.Values],
            PhysicalFunctions = [.. _physicalFunctions.Values],
        };
        string beside = _path + ".new";
        using (var file = new FileStream(beside, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            file.Write(record.Encode());
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, _path, overwrite: true);
    }
}
