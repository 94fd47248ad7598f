using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Opens the device's session of a binding, and opens it again whenever the device has hung up.
/// </summary>
internal sealed class LinkSupervisor(IDescriptorStore store, HolderBell bell, SessionContext context, TimeProvider time, ILogger<LinkSupervisor> logger)
{
    private static readonly TimeSpan s_firstBackoff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_stableAfter = TimeSpan.FromSeconds(1);

    /// <summary>Configures the function and opens the session; the link is up at its end. Returns the record with what the device has said.</summary>
    /// <exception cref="ArrakisException">The device is not there or misbehaves; nothing of it is left.</exception>
    internal async Task<BindingRecord> EstablishAsync(Binding binding, bool isFirst, bool keepCounters, CancellationToken cancellation)
    {
        await binding.Device.ConfigureAsync(binding.Record, keepCounters, cancellation).ConfigureAwait(false);
        var request = new SessionRequest(binding.Function, binding.Record.Grant, binding.Memory!, binding.Kicks, binding.Events, binding.Holder!, isFirst);
        IDeviceSession session = await binding.Device.OpenSessionAsync(request, context, cancellation).ConfigureAwait(false);
        try
        {
            await store.PutAsync([.. session.Kept.Select(kept => new NamedDescriptor(StoreNames.OfBinding(binding.Id, kept.Part), kept.Descriptor))]).ConfigureAwait(false);
        }
        catch
        {
            session.HangUp();
            session.Dispose();
            throw;
        }

        binding.Session = session;
        binding.Status!.SetLink(true);
        bell.Ring(binding);
        return session.Complete(binding.Record);
    }

    /// <summary>Keeps the link up until the binding ends. Returns only where that has become impossible: by the holder's doing, or because the function is removed.</summary>
    internal async Task<SessionEnd> KeepAsync(Binding binding, CancellationToken cancellation)
    {
        TimeSpan backoff = s_firstBackoff;
        while (true)
        {
            int restarts = binding.Device.Restarts;
            if (binding.Session is { } session)
            {
                long start = time.GetTimestamp();
                if (await session.WaitForEndAsync(cancellation).ConfigureAwait(false) == SessionEnd.Removed)
                {
                    return SessionEnd.Removed;
                }

                Drop(binding);
                if (!binding.Resumes)
                {
                    return SessionEnd.Lost;
                }

                logger.LogWarning("Binding {Binding}: device {Device} has hung up on virtual function {Function}; the link is down.", binding.Id, binding.Device.Options.Name, binding.Function);
                if (time.GetElapsedTime(start) > s_stableAfter)
                {
                    backoff = s_firstBackoff;
                }
                else
                {
                    // A holder that breaks its rings as soon as they run must not keep the daemon and the device busy.
                    await Task.Delay(backoff, time, cancellation).ConfigureAwait(false);
                    backoff = Longer(backoff);
                }
            }

            while (binding.Session is null)
            {
                try
                {
                    await binding.Device.WaitUpAsync(cancellation).ConfigureAwait(false);
                    _ = await EstablishAsync(binding, isFirst: false, keepCounters: binding.Device.Restarts == restarts, cancellation).ConfigureAwait(false);
                    logger.LogInformation("Binding {Binding}: the link is up again.", binding.Id);
                }
                catch (ArrakisException e) when (e.Code == ErrorCode.MemoryExhausted)
                {
                    logger.LogError("Binding {Binding}: the link stays down for good: {Fault}", binding.Id, e.Message);
                    return SessionEnd.HungUp;
                }
                catch (Exception e) when (e is ArrakisException or LinuxException)
                {
                    logger.LogWarning("Binding {Binding}: the link stays down: {Fault}", binding.Id, e.Message);
                    await Task.Delay(backoff, time, cancellation).ConfigureAwait(false);
                    backoff = Longer(backoff);
                }
            }
        }
    }

    private static TimeSpan Longer(TimeSpan backoff) => backoff * 2 < s_longestBackoff ? backoff * 2 : s_longestBackoff;

    /// <summary>Stops the rings, if the device answers in time, and ends the session.</summary>
    internal async Task StopAsync(Binding binding)
    {
        if (binding.Session is not { } session)
        {
            return;
        }

        try
        {
            using var limit = new CancellationTokenSource(session.StopTimeout, time);
            await session.StopAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is VhostUserException or LinuxException or OperationCanceledException)
        {
            logger.LogWarning("Binding {Binding}: device {Device} does not stop virtual function {Function}; its session is cut. {Fault}", binding.Id, binding.Device.Options.Name, binding.Function, e.Message);
        }

        Drop(binding);
    }

    /// <summary>Ends the session without asking: as after the device has hung up, or of a session that an earlier daemon left half made.</summary>
    internal void Drop(Binding binding)
    {
        if (binding.Session is { } session)
        {
            binding.Session = null;
            session.HangUp();
            session.Dispose();
        }

        binding.Status?.SetLink(false);
        bell.Ring(binding);
    }
}
