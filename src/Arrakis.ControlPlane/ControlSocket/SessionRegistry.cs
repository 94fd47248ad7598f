using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.ControlSocket;

/// <summary>What every session needs.</summary>
internal sealed record SessionServices(
    IPeerInspector Inspector, RequestHandler Handler, SessionRegistry Registry, ReadinessLoop Loop, TimeProvider Time, ILogger Logger, int RequestsInFlight);

/// <summary>
/// Counts connections and keeps them within their bounds. Those that have not said hello are counted apart: they can
/// crowd out only each other, oldest first, never one that has.
/// </summary>
internal sealed class SessionRegistry(LimitOptions limits, TimeProvider time, BindingService bindings)
{
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly LinkedList<ControlSession> _silent = new();
    private readonly HashSet<ControlSession> _greeted = [];

    /// <summary>Connections that have said hello.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _greeted.Count;
            }
        }
    }

    /// <summary>Enters a new connection; where there are too many silent ones, the oldest is closed.</summary>
    internal void Enter(ControlSession session)
    {
        ControlSession? victim = null;
        lock (_lock)
        {
            if (_silent.Count >= limits.SilentConnections)
            {
                victim = _silent.First!.Value;
            }
            else if (_silent.Count(other => other.UserId == session.UserId) >= limits.SilentConnectionsPerUser)
            {
                // One that has only just connected may have its hello on the way.
                victim = _silent.FirstOrDefault(other => other.UserId == session.UserId && time.GetElapsedTime(other.ConnectedAt) > s_grace);
            }

            if (victim is not null)
            {
                _ = _silent.Remove(victim);
            }

            _ = _silent.AddLast(session);
        }

        victim?.Refuse(ErrorCode.TooManyConnections, "Too many connections say nothing; this is the oldest.", "Say hello at once after connecting.");
    }

    /// <summary>Enters a hello; says why not where the bounds are reached.</summary>
    internal ArrakisException? TryGreet(ControlSession session)
    {
        lock (_lock)
        {
            int ofUser = _greeted.Count(other => other.UserId == session.UserId);
            if (ofUser >= limits.ConnectionsPerUser || _greeted.Count >= limits.Connections)
            {
                return new ArrakisException(
                    ErrorCode.TooManyConnections,
                    $"The daemon has {ofUser} connections of uid {session.UserId} and {_greeted.Count} in all; it takes {limits.ConnectionsPerUser} and {limits.Connections}.",
                    "Close some, or raise the limits in arrakisd.json.");
            }

            _ = _silent.Remove(session);
            _ = _greeted.Add(session);
            session.HasGreeted = true;
            return null;
        }
    }

    /// <summary>Forgets a connection that has closed, and ends what was bound on it.</summary>
    internal async Task LeaveAsync(ControlSession session, bool daemonStops)
    {
        lock (_lock)
        {
            _ = _silent.Remove(session);
            _ = _greeted.Remove(session);
        }

        if (!daemonStops)
        {
            await bindings.ReleaseConnectionAsync(session).ConfigureAwait(false);
        }
    }

    /// <summary>A grant was sent, or could not be.</summary>
    internal async Task SettleAsync(Binding binding, bool sent)
    {
        if (sent)
        {
            BindingService.Confirm(binding);
        }
        else
        {
            await bindings.EndAsync(binding, BindingState.Released, "its grant could not be sent").ConfigureAwait(false);
        }
    }

    /// <summary>Closes connections that have been silent for too long.</summary>
    internal void CloseSilent()
    {
        var timeout = TimeSpan.FromSeconds(limits.HelloTimeoutSeconds);
        List<ControlSession> late = [];
        lock (_lock)
        {
            while (_silent.First is { Value: { } oldest } && time.GetElapsedTime(oldest.ConnectedAt) > timeout)
            {
                _silent.RemoveFirst();
                late.Add(oldest);
            }
        }

        foreach (ControlSession session in late)
        {
            session.Refuse(ErrorCode.OutOfOrder, $"No hello came within {timeout.TotalSeconds:0.#} s.", "Say hello at once after connecting.");
        }
    }
}
