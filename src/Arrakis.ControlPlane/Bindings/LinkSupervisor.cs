using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Wire.Virtio;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Makes the vhost-user session of a binding, and makes it again whenever the device has hung up. The device handles each
/// ring strictly in order, so a new session goes on at the used index that the old one left in queue memory.
/// </summary>
internal sealed class LinkSupervisor(IDescriptorStore store, HolderBell bell, ReadinessLoop loop, TimeProvider time, ILogger<LinkSupervisor> logger)
{
    private static readonly TimeSpan s_messageTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_firstBackoff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_longestBackoff = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_stableAfter = TimeSpan.FromSeconds(1);

    /// <summary>Configures the port and makes the session; the link is up at its end.</summary>
    /// <exception cref="ArrakisException">The device is not there or misbehaves; nothing of it is left.</exception>
    internal async Task<VirtioFeatures> EstablishAsync(Binding binding, bool isFirst, bool keepCounters, CancellationToken cancellation)
    {
        await binding.Device.ConfigurePortAsync(binding.Function, binding.Port, keepCounters, cancellation).ConfigureAwait(false);
        var frontEnd = new VhostUserFrontEnd(binding.Device.Connect(binding.Function), loop, time, s_messageTimeout);
        try
        {
            Grant grant = binding.Record.Grant;
            VirtioFeatures required = isFirst ? VirtioFeatures.None : grant.Features;
            VirtioFeatures features = await frontEnd.NegotiateAsync(grant.Features, required, grant.QueuePairs, cancellation).ConfigureAwait(false);
            VringSetup[] rings =
            [
                .. grant.Queues.Select((queue, i) => new VringSetup(
                    queue.Ring, RingPosition.Read(binding.Memory!, queue.Ring, features), binding.Kicks[i].Descriptor, binding.Events[i / 2].Descriptor)),
            ];
            await frontEnd.StartAsync(binding.Memory!.Descriptor, grant.Memory.Length, grant.Memory.IovaBase, rings, cancellation).ConfigureAwait(false);
            await store.PutAsync([new NamedDescriptor(StoreNames.OfBinding(binding.Id, "vhost"), frontEnd.Descriptor)]).ConfigureAwait(false);
            binding.FrontEnd = frontEnd;
            binding.Status!.SetLink(true);
            bell.Ring(binding);
            return features;
        }
        catch (Exception e)
        {
            frontEnd.HangUp();
            frontEnd.Dispose();
            throw e is not VhostUserException fault ? e
                : isFirst && fault.QueuePairs is { } pairs ? Devices.DeviceErrors.TooFewQueuePairs(binding.Device.Options.Name, pairs, binding.Record.Grant.QueuePairs, fault)
                : isFirst && fault.Missing.HasFlag(VirtioFeatures.RingPacked) ? Devices.DeviceErrors.WithoutPackedRings(binding.Device.Options.Name, fault)
                : Devices.DeviceErrors.Unavailable(binding.Device.Options.Name, $"does not set up virtual function {binding.Function}: {e.Message}", e);
        }
    }

    /// <summary>Keeps the link up until the binding ends. Ends itself only when the holder has made that impossible.</summary>
    internal async Task KeepAsync(Binding binding, CancellationToken cancellation)
    {
        TimeSpan backoff = s_firstBackoff;
        while (true)
        {
            int restarts = binding.Device.Restarts;
            if (binding.FrontEnd is { } session)
            {
                long start = time.GetTimestamp();
                await session.WaitForEndAsync(cancellation).ConfigureAwait(false);
                Drop(binding);
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

            while (binding.FrontEnd is null)
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
                    return;
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
        if (binding.FrontEnd is not { } session)
        {
            return;
        }

        try
        {
            using var limit = new CancellationTokenSource(s_stopTimeout, time);
            for (int ring = 0; ring < binding.Record.Grant.Queues.Count; ring++)
            {
                _ = await session.StopRingAsync(ring, limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is VhostUserException or OperationCanceledException)
        {
            logger.LogWarning("Binding {Binding}: device {Device} does not stop virtual function {Function}; its session is cut. {Fault}", binding.Id, binding.Device.Options.Name, binding.Function, e.Message);
        }

        Drop(binding);
    }

    /// <summary>Ends the session without asking: as after the device has hung up, or of a session that an earlier daemon left half made.</summary>
    internal void Drop(Binding binding)
    {
        if (binding.FrontEnd is { } session)
        {
            binding.FrontEnd = null;
            session.HangUp();
            session.Dispose();
        }

        binding.Status?.SetLink(false);
        bell.Ring(binding);
    }
}
