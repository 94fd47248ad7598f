using System.Diagnostics;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// The life of bindings: made, watched, asked back, taken down. The ledger decides who has what in short steps of its own;
/// what is slow runs beside it for each binding alone, and ends in bounded time.
/// </summary>
internal sealed class BindingService(
    Ledger ledger,
    PolicyStore policy,
    BindingBuilder builder,
    LinkSupervisor links,
    HolderBell bell,
    AreaDirectory areas,
    IDescriptorStore store,
    ReadinessLoop loop,
    TimeProvider time,
    ILogger<BindingService> logger)
{
    private const int MaxFilterRules = 64; // As many as the software device takes; they fit the binding's record.

    private volatile bool _lettingGo;

    /// <summary>Binds a NIC's virtual function for a process. The binding counts as made once <see cref="Confirm"/> says that its grant was sent.</summary>
    /// <exception cref="ArrakisException">Refused, or failed; nothing is left of it.</exception>
    internal async Task<Binding> BindAsync(PeerIdentity peer, BindNicRequest request, object connection, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        QueueMemoryPlan plan = QueueMemoryPlan.For(request);
        if (request.Filter.Count > MaxFilterRules)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A filter of {request.Filter.Count} rules is too long.", $"Give at most {MaxFilterRules}.");
        }

        NicReservation reservation = ledger.Reserve(policy.Current, peer, request, plan, HostAddresses.Read(), (device, decision) => LogDecision(peer, device, decision));
        Binding binding = await MakeAsync(reservation, () => builder.Build(reservation, peer, request, connection), cancellation).ConfigureAwait(false);
        logger.LogInformation(
            "Binding {Binding}: {Device} virtual function {Function} as {Address}, {Mac} for {Peer} by rule '{Rule}', bound in {Milliseconds:0.0} ms.",
            binding.Id, reservation.Device.Options.Name, reservation.Function, reservation.Address, reservation.Mac, peer, reservation.Rule.Name,
            Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        return binding;
    }

    /// <summary>Binds a storage area for a process; the same holds.</summary>
    /// <exception cref="ArrakisException">Refused, or failed; nothing is left of it.</exception>
    internal async Task<Binding> BindAsync(PeerIdentity peer, BindStorageRequest request, object connection, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        await areas.AwaitGeometryAsync(request.Area, cancellation).ConfigureAwait(false);
        AreaReservation reservation = ledger.Reserve(policy.Current, peer, request, areas.Find, (device, decision) => LogDecision(peer, device, decision));
        Binding binding = await MakeAsync(reservation, () => builder.Build(reservation, peer, request, connection), cancellation).ConfigureAwait(false);
        logger.LogInformation(
            "Binding {Binding}: storage area {Area} on {Device} virtual function {Function}, {Access}, for {Peer} by rule '{Rule}', bound in {Milliseconds:0.0} ms.",
            binding.Id, request.Area, binding.Device.Options.Name, reservation.Function, request.Access, peer, reservation.Rule.Name,
            Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        return binding;
    }

    private async Task<Binding> MakeAsync(Reservation reservation, Func<Binding> build, CancellationToken cancellation)
    {
        Binding binding;
        try
        {
            binding = build();
        }
        catch
        {
            ledger.Free(reservation.BindingId);
            throw;
        }

        var making = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        binding.Making = making.Task;
        ledger.Add(binding);
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation, binding.Ending.Token);

            // The record is kept before the first step that anyone else can see, so that a killed daemon's successor undoes it.
            await store.PutAsync(binding.StoredDescriptors).ConfigureAwait(false);
            BindingRecord made = await links.EstablishAsync(binding, isFirst: true, keepCounters: false, limit.Token).ConfigureAwait(false);
            binding.Save(record => record with { Grant = made.Grant, DomainId = made.DomainId });
            Offer(binding);
            making.SetResult();
        }
        catch (Exception e)
        {
            making.SetResult();
            await EndAsync(binding, BindingState.Revoked, $"the bind failed: {e.Message}").ConfigureAwait(false);
            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                throw EndedInTheMaking(binding.Id, e);
            }

            throw;
        }

        return binding;
    }

    /// <summary>The grant was sent: from now on the binding is the holder's, also over a death of the daemon.</summary>
    internal static void Confirm(Binding binding)
    {
        lock (binding.Lock)
        {
            if (binding.Phase == BindingPhase.Offered)
            {
                binding.Save(static record => record with { State = RecordState.Active });
                binding.Phase = BindingPhase.Active;
            }
        }
    }

    private void Offer(Binding binding)
    {
        lock (binding.Lock)
        {
            if (binding.Phase != BindingPhase.Allocating)
            {
                throw EndedInTheMaking(binding.Id, null);
            }

            binding.Status!.SetState(BindingState.Active);
            Watch(binding);
            binding.Phase = BindingPhase.Offered;
        }
    }

    /// <summary>Gives a binding back.</summary>
    /// <exception cref="ArrakisException">It is unknown, ended, or another process's.</exception>
    internal Task ReleaseAsync(PeerIdentity peer, ulong bindingId, uint generation)
    {
        Binding binding = Require(bindingId);
        if (binding.Generation != generation)
        {
            throw Unknown(bindingId, $"of generation {generation}");
        }

        // The holder is alive if it asks, so its number is no other process's.
        return binding.Record.ProcessId == peer.ProcessId && binding.Record.UserId == peer.UserId
            ? EndAsync(binding, BindingState.Released, "released by its holder")
            : throw new ArrakisException(ErrorCode.NotHolder, $"Binding {bindingId} belongs to process {binding.Record.ProcessId}.", "Let that process release it, or revoke it as an administrator.");
    }

    /// <summary>Ends what was bound on a connection that has closed.</summary>
    internal async Task ReleaseConnectionAsync(object connection)
    {
        foreach (Binding binding in ledger.All())
        {
            if (ReferenceEquals(binding.Connection, connection))
            {
                await EndAsync(binding, BindingState.Released, "its connection closed").ConfigureAwait(false);
            }
        }
    }

    /// <summary>Takes a binding back; completes when it is gone. Who no longer waits does not stop it.</summary>
    internal async Task RevokeAsync(ulong bindingId, RevocationMode mode, TimeSpan deadline, CancellationToken cancellation)
    {
        Binding binding = Require(bindingId);
        if (mode == RevocationMode.Invisible)
        {
            await EndAsync(binding, BindingState.Revoked, "revoked").WaitAsync(cancellation).ConfigureAwait(false);
            return;
        }

        AskBack(binding, deadline);
        await AwaitReturnAsync(binding).WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Goes on with a binding that an earlier daemon made.</summary>
    internal void Resume(Binding binding)
    {
        Watch(binding);
        if (binding.Phase == BindingPhase.RevocationRequested)
        {
            _ = AwaitReturnAsync(binding);
        }
    }

    /// <summary>Takes a binding down; however often and by whomever it is asked, it happens once. Completes when nothing is left of it.</summary>
    internal Task EndAsync(Binding binding, BindingState state, string why)
    {
        lock (binding.Lock)
        {
            if (binding.EndTask is null)
            {
                binding.Phase = BindingPhase.Ending;
                try
                {
                    binding.Save(record => record with { State = RecordState.Ending, EndState = state });
                }
                catch (Exception e) when (e is LinuxException or IOException or ObjectDisposedException)
                {
                    logger.LogError("Binding {Binding}: its record is not written: {Fault}", binding.Id, e.Message);
                }

                binding.EndTask = Task.Run(() => TakeDownAsync(binding, state, why));
            }

            return binding.EndTask;
        }
    }

    /// <summary>Stops watching without ending anything: the daemon stops and the bindings go on.</summary>
    internal async Task LetGoAsync()
    {
        _lettingGo = true; // Deadlines of bindings that are asked back go on in the next daemon.
        foreach (Binding binding in ledger.All())
        {
            await binding.Ending.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(binding.HolderWatch, binding.LinkWatch, binding.EndTask ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void AskBack(Binding binding, TimeSpan deadline)
    {
        lock (binding.Lock)
        {
            if (binding.Phase is not (BindingPhase.Offered or BindingPhase.Active))
            {
                return;
            }

            long at = time.GetNanoseconds() + (long)deadline.TotalNanoseconds;
            binding.Save(record => record with { State = RecordState.RevocationRequested, DeadlineNanoseconds = at });
            binding.Phase = BindingPhase.RevocationRequested;
            binding.Status!.RequestBack(ResourceKind.VirtualFunction, 1, at);
            bell.Ring(binding);
        }

        logger.LogInformation("Binding {Binding}: asked back within {Deadline} ms.", binding.Id, deadline.TotalMilliseconds);
    }

    private async Task AwaitReturnAsync(Binding binding)
    {
        long left = binding.Record.DeadlineNanoseconds - time.GetNanoseconds();
        if (left > 0)
        {
            // Ending cancels the wait: the holder released in time, or someone revoked without asking.
            await Task.Delay(TimeSpan.FromMicroseconds(left / 1000.0), time, binding.Ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (_lettingGo)
        {
            return;
        }

        await EndAsync(binding, BindingState.Aborted, "not given back by the deadline").ConfigureAwait(false);
    }

    private void Watch(Binding binding)
    {
        binding.HolderWatch = Task.Run(() => WatchHolderAsync(binding));
        binding.LinkWatch = Task.Run(() => WatchLinkAsync(binding));
    }

    private async Task WatchLinkAsync(Binding binding)
    {
        try
        {
            string? why = await links.KeepAsync(binding, binding.Ending.Token).ConfigureAwait(false) switch
            {
                SessionEnd.Removed => "its virtual function is removed",
                SessionEnd.Lost => "its device has hung up, and which of its requests were done is not known",
                _ => null,
            };
            if (why is not null)
            {
                _ = EndAsync(binding, BindingState.Revoked, why);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            logger.LogError(e, "Binding {Binding}: its link is not watched any more.", binding.Id);
        }
    }

    private async Task WatchHolderAsync(Binding binding)
    {
        try
        {
            await loop.WaitAsync(binding.Holder!.Descriptor, Readiness.Read, binding.Ending.Token).ConfigureAwait(false);
        }
        catch (LinuxException e)
        {
            // Nobody would ever reclaim it.
            _ = EndAsync(binding, BindingState.Revoked, $"its holder cannot be watched: {e.Message}");
            return;
        }

        _ = EndAsync(binding, BindingState.Released, $"process {binding.Record.ProcessId} has ended");
    }

    private async Task TakeDownAsync(Binding binding, BindingState state, string why)
    {
        long start = Stopwatch.GetTimestamp();
        await binding.Ending.CancelAsync().ConfigureAwait(false);
        await binding.Making.ConfigureAwait(false);
        await Task.WhenAll(binding.HolderWatch, binding.LinkWatch).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StepAsync(binding, "stopping its rings", () => links.StopAsync(binding)).ConfigureAwait(false);
        await StepAsync(binding, "telling its holder", () => Tell(binding, state)).ConfigureAwait(false);
        await StepAsync(binding, "returning its memory", () => ReturnMemory(binding)).ConfigureAwait(false);
        if (binding.Device.IsUp)
        {
            await StepAsync(binding, "clearing its function", () => binding.Device.ClearAsync(binding.Function, default)).ConfigureAwait(false);
        }

        await StepAsync(binding, "forgetting its descriptors", () => store.RemoveAsync(binding.StoredNames).AsTask()).ConfigureAwait(false);
        binding.Close();
        ledger.Free(binding.Id);
        lock (binding.Lock)
        {
            binding.Phase = BindingPhase.Ended;
        }

        logger.LogInformation(
            "Binding {Binding}: {State} ({Why}), taken down in {Milliseconds:0.0} ms.", binding.Id, state, why, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
    }

    private Task Tell(Binding binding, BindingState state)
    {
        if (state == BindingState.Released)
        {
            binding.Status?.SetState(state);
        }
        else
        {
            binding.Status?.Repossess(binding.Repossession(time.GetNanoseconds()), state);
        }

        bell.Ring(binding);
        return Task.CompletedTask;
    }

    private static Task ReturnMemory(Binding binding)
    {
        binding.Memory?.Truncate(0); // Whoever has it mapped keeps none of its pages.
        return Task.CompletedTask;
    }

    private async Task StepAsync(Binding binding, string what, Func<Task> step)
    {
        try
        {
            await step().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The others are done all the same: what one device or store does not do must not keep the rest.
            logger.LogError("Binding {Binding}: {Step} failed: {Fault}", binding.Id, what, e.Message);
        }
    }

    private void LogDecision(PeerIdentity peer, string device, PolicyDecision decision)
    {
        if (decision.IsAllowed)
        {
            logger.LogInformation("Allowed: {Peer} binds {Device} by rule '{Rule}'.", peer, device, decision.Rule!.Name);
        }
        else
        {
            logger.LogWarning("Denied: {Peer} binds {Device}: {Code}, {Cause}", peer, device, decision.Refusal!.Code, decision.Refusal.Cause);
        }
    }

    private Binding Require(ulong bindingId) =>
        ledger.Find(bindingId) is { Phase: not BindingPhase.Allocating } binding ? binding : throw Unknown(bindingId, "any more, if there ever was");

    private static ArrakisException EndedInTheMaking(ulong bindingId, Exception? inner) =>
        new(ErrorCode.BindingRevoked, $"Binding {bindingId} was ended while it was made.", "Bind again.", inner);

    private static ArrakisException Unknown(ulong bindingId, string qualifier) =>
        new(ErrorCode.UnknownBinding, $"There is no binding {bindingId} {qualifier}.", "List the bindings (arrakisctl bindings).");
}
