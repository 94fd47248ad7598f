using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Takes over the bindings of an earlier daemon from the descriptor store. Wherever that one was killed, afterwards each
/// virtual function is either bound by a live process or free, and nothing is kept for a binding that is not there.
/// </summary>
internal sealed class BindingRecovery(
    Ledger ledger, BindingService bindings, LinkSupervisor links, IDescriptorStore store, SessionContext context, ILogger<BindingRecovery> logger)
{
    /// <summary>Adopts, finishes or undoes each binding that was kept.</summary>
    /// <param name="left">Descriptors of bindings; all are taken.</param>
    internal async Task RunAsync(IReadOnlyDictionary<ulong, Dictionary<string, Descriptor>> left)
    {
        foreach ((ulong id, Dictionary<string, Descriptor> parts) in left.OrderBy(static entry => entry.Key))
        {
            Binding? binding = null;
            try
            {
                binding = TryOpen(id, parts);
            }
            catch (Exception e) when (e is LinuxException or ArrakisException)
            {
                logger.LogWarning("Binding {Binding}: what is kept of it cannot be opened: {Fault}", id, e.Message);
            }

            if (binding is null)
            {
                await DiscardAsync(id, parts).ConfigureAwait(false);
            }
            else
            {
                await SettleAsync(binding).ConfigureAwait(false);
            }
        }

        await ClearUnboundAsync().ConfigureAwait(false);
    }

    private async Task SettleAsync(Binding binding)
    {
        ledger.Add(binding);
        RecordState state = binding.Record.State;
        if (state is RecordState.Allocating or RecordState.Ending)
        {
            BindingState end = state == RecordState.Ending ? binding.Record.EndState : BindingState.Revoked;
            await bindings.EndAsync(binding, end, $"the daemon before ended while it was {state}").ConfigureAwait(false);
        }
        else if (binding.Holder!.HasExited)
        {
            await bindings.EndAsync(binding, BindingState.Released, $"process {binding.Record.ProcessId} has ended meanwhile").ConfigureAwait(false);
        }
        else if ((binding.Session is null || !binding.Status!.IsLinkUp) && !binding.Resumes)
        {
            await bindings.EndAsync(binding, BindingState.Revoked, "its device's session was not kept").ConfigureAwait(false);
        }
        else
        {
            binding.Phase = state == RecordState.Active ? BindingPhase.Active : BindingPhase.RevocationRequested;
            if (!binding.Status!.IsLinkUp || binding.Session is null)
            {
                links.Drop(binding); // A session that was only half made, or is lost.
            }

            bindings.Resume(binding);
            logger.LogInformation("Binding {Binding}: adopted for process {ProcessId}, {State}.", binding.Id, binding.Record.ProcessId, state);
        }
    }

    /// <summary>Puts a binding together again; null where a part is missing or does not fit.</summary>
    private Binding? TryOpen(ulong id, Dictionary<string, Descriptor> parts)
    {
        if (!parts.TryGetValue("record", out Descriptor? kept))
        {
            return null;
        }

        var recordFile = RecordFile.Adopt(kept);
        if (recordFile.Read() is not { } text || BindingRecord.TryDecode(text) is not { } record || !IsSound(record, id)
            || Binding.StoredParts(record.Grant).Any(part => !parts.ContainsKey(part)))
        {
            return null;
        }

        IDevice? device = ledger.Devices.FirstOrDefault(candidate => candidate.Options.Name == record.Grant.Device);
        if (device is null || device is IBlockDevice != record.Grant is StorageGrant || record.Grant.VirtualFunction < 0 || record.Grant.VirtualFunction >= device.FunctionCount || ledger.IsTaken(record.Grant.Device, record.Grant.VirtualFunction))
        {
            logger.LogWarning("Binding {Binding}: device {Device} has no virtual function {Function} for it any more.", id, record.Grant.Device, record.Grant.VirtualFunction);
            return null;
        }

        StatusPage status = StatusPage.Adopt(parts["status"]);
        if (!status.IsOf(id, record.Grant.Generation))
        {
            status.Dispose();
            return null;
        }

        MemoryGrant memory = record.Grant.Memory;
        var binding = new Binding(device, record, QueueMemoryPlan.Charge(memory.Length))
        {
            RecordFile = recordFile,
            Memory = new MemoryFile(parts["memory"], memory.Length, memory.PageSize),
            Status = status,
            Holder = new ProcessDescriptor(parts["holder"]),
            Session = device.AdoptSession(record, parts, context),
        };
        binding.AddQueues(part => new EventFd(parts[part]));
        return binding;
    }

    private static bool IsSound(BindingRecord record, ulong id) =>
        record.Grant.BindingId == id
        && record.Grant.QueueCount() is >= 1 and <= ControlProtocol.MaxQueuePairs
        && record.Grant.Memory.Length > 0
        && record.Grant.Rings() is var rings
        && rings.Count == record.Grant.QueueCount() * record.Grant.RingsPerQueue()
        && rings.All(ring => ring.FitsIn(record.Grant.Memory.Length));

    /// <summary>Gives back what is kept for a binding that cannot be put together.</summary>
    private async Task DiscardAsync(ulong id, Dictionary<string, Descriptor> parts)
    {
        logger.LogWarning("Binding {Binding}: undone, only {Parts} of it were kept.", id, string.Join(", ", parts.Keys));
        if (parts.TryGetValue(VhostUserSession.ConnectionPart, out Descriptor? connection))
        {
            new UnixSocket(connection).Shutdown();
        }

        if (parts.TryGetValue("memory", out Descriptor? memory))
        {
            try
            {
                new MemoryFile(memory, 0, MemoryFile.BasePageSize).Truncate(0);
            }
            catch (LinuxException e)
            {
                logger.LogWarning("Binding {Binding}: its memory is not returned: {Fault}", id, e.Message);
            }
        }

        TellHolder(id, parts);
        foreach (Descriptor descriptor in parts.Values)
        {
            descriptor.Dispose();
        }

        await store.RemoveAsync([.. parts.Keys.OrderBy(static part => part == "record").Select(part => StoreNames.OfBinding(id, part))]).ConfigureAwait(false);
    }

    /// <summary>A holder that is still there learns that its binding is gone.</summary>
    private void TellHolder(ulong id, Dictionary<string, Descriptor> parts)
    {
        if (!parts.TryGetValue("status", out Descriptor? page))
        {
            return;
        }

        try
        {
            if (MemoryFile.GetLength(page) == StatusPageLayout.Length)
            {
                using StatusPage status = StatusPage.Adopt(page);
                status.SetLink(false);
                status.SetState(BindingState.Revoked);
            }
        }
        catch (LinuxException e)
        {
            logger.LogWarning("Binding {Binding}: its holder is not told: {Fault}", id, e.Message);
        }
    }

    /// <summary>An earlier daemon may have configured ports for bindings that are not there.</summary>
    private async Task ClearUnboundAsync()
    {
        foreach (IDevice device in ledger.Devices.Where(static device => device.IsUp))
        {
            for (int function = 0; function < device.FunctionCount; function++)
            {
                if (ledger.IsTaken(device.Options.Name, function))
                {
                    continue;
                }

                try
                {
                    await device.ClearAsync(function, default).ConfigureAwait(false);
                }
                catch (ArrakisException e)
                {
                    logger.LogWarning("Device {Device}: port {Function} is not cleared: {Fault}", device.Options.Name, function, e.Message);
                    break;
                }
            }
        }
    }
}
