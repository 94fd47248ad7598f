using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Vhost;
using Microsoft.Extensions.Logging;

namespace Arrakis.SoftDevice.Management;

/// <summary>The vhost-user socket of one function: one session at a time, the newest. Control thread only.</summary>
internal sealed class FunctionServer : IDisposable
{
    private readonly UnixSocket _listener;
    private readonly IVhostFunction _function;
    private readonly PollingLoop _loop;
    private readonly Epoll _epoll;
    private readonly int _sessionToken;
    private readonly int _maxQueueSize;
    private readonly PeerLog _log;
    private VhostSession? _session;

    /// <param name="path">Where to listen.</param>
    /// <param name="function">The function.</param>
    /// <param name="loop">Runs it.</param>
    /// <param name="epoll">Watches listener and session.</param>
    /// <param name="listenerToken">Token of the listener; that of the session follows.</param>
    /// <param name="maxQueueSize">The longest ring that is taken.</param>
    /// <param name="log">For what front ends do.</param>
    public FunctionServer(string path, IVhostFunction function, PollingLoop loop, Epoll epoll, int listenerToken, int maxQueueSize, PeerLog log)
    {
        _function = function;
        _loop = loop;
        _epoll = epoll;
        _sessionToken = listenerToken + 1;
        _maxQueueSize = maxQueueSize;
        _log = log;
        _listener = UnixSocket.Listen(path, UnixSocketKind.Stream, 4, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _epoll.Add(_listener.Descriptor, listenerToken);
    }

    /// <summary>The listener or the session is ready.</summary>
    public void OnReady(int token)
    {
        if (token != _sessionToken)
        {
            Accept();
        }
        else if (_session is not null)
        {
            bool goesOn = _session.TryProgress(out string reason);
            if (_session.TakeNews() is { } news)
            {
                _log.Write(LogLevel.Information, _function.Name, news);
            }

            if (!goesOn)
            {
                Close(reason);
            }
        }
    }

    /// <summary>Ends the session of a function that has let go of its rings.</summary>
    public void CheckFault()
    {
        if (_function.TakeFault() is { } fault && _session is not null)
        {
            Close(fault);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session?.Dispose();
        _listener.Dispose();
    }

    private void Accept()
    {
        UnixSocket? socket;
        try
        {
            socket = _listener.TryAccept();
        }
        catch (LinuxException e)
        {
            _log.Write(LogLevel.Warning, _function.Name, e.Message);
            return;
        }

        if (socket is not null)
        {
            Close("a new front end has connected");
            _ = _function.TakeFault();
            _session = new VhostSession(socket, _function, _loop, _maxQueueSize);
            _epoll.Add(_session.Descriptor, _sessionToken);
            _log.Write(LogLevel.Information, _function.Name, "a front end has connected");
        }
    }

    private void Close(string reason)
    {
        if (_session is not null)
        {
            _log.Write(LogLevel.Warning, _function.Name, $"session closed: {reason}");
            _epoll.Remove(_session.Descriptor);
            _session.Dispose();
            _session = null;
        }
    }
}
