using System.Diagnostics;
using System.Text;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Tells the service manager of the daemon's state and hands it descriptors (sd_notify(3)); without one it does nothing.</summary>
internal sealed class ServiceNotifier
{
    /// <summary>Names the manager's socket.</summary>
    internal const string SocketVariable = "NOTIFY_SOCKET";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    private readonly string? _path;
    private readonly ILogger<ServiceNotifier> _logger;

    public ServiceNotifier(ServiceEnvironment environment, ILogger<ServiceNotifier> logger)
    {
        _path = environment.NotifySocket;
        _logger = logger;
    }

    /// <summary>Whether there is a service manager.</summary>
    internal bool IsPresent => _path is not null;

    /// <summary>Sends a state such as READY=1, with descriptors.</summary>
    internal bool Notify(string state, params Descriptor[] descriptors)
    {
        if (_path is null)
        {
            return false;
        }

        try
        {
            // The manager's queue may be short (net.unix.max_dgram_qlen); a burst of descriptors waits for it.
            using UnixSocket socket = UnixSocket.Connect(_path, UnixSocketKind.Datagram);
            byte[] message = Encoding.UTF8.GetBytes(state);
            long start = Stopwatch.GetTimestamp();
            do
            {
                if (socket.TrySend(message, descriptors) >= 0)
                {
                    return true;
                }

                Thread.Sleep(s_pause);
            }
            while (Stopwatch.GetElapsedTime(start) < s_patience);

            _logger.LogWarning("The service manager's socket is full; not told: {State}", state);
        }
        catch (LinuxException e)
        {
            _logger.LogWarning("The service manager was not told {State}: {Fault}", state, e.Message);
        }

        return false;
    }
}
