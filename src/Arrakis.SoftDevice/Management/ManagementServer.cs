using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Blocks;
using Microsoft.Extensions.Logging;

namespace Arrakis.SoftDevice.Management;

/// <summary>
/// The management socket. When the daemon goes away, what it has set stays; the next one configures anew. Control
/// thread only.
/// </summary>
internal sealed class ManagementServer : IDisposable
{
    private const int MaxConnections = 16;

    private readonly UnixSocket _listener;
    private readonly PortConfigurator _ports;
    private readonly BlockConfigurator _blockPorts;
    private readonly Epoll _epoll;
    private readonly int _firstToken;
    private readonly PeerLog _log;
    private readonly ManagementConnection?[] _connections = new ManagementConnection?[MaxConnections];
    private (ManagementConnection Connection, ulong Id)? _test;

    /// <param name="path">Where to listen.</param>
    /// <param name="ports">What requests act on.</param>
    /// <param name="blockPorts">The same of block functions.</param>
    /// <param name="epoll">Watches the connections.</param>
    /// <param name="firstToken">Token of the listener; those of the connections follow.</param>
    /// <param name="log">For what peers do.</param>
    public ManagementServer(string path, PortConfigurator ports, BlockConfigurator blockPorts, Epoll epoll, int firstToken, PeerLog log)
    {
        _ports = ports;
        _blockPorts = blockPorts;
        _epoll = epoll;
        _firstToken = firstToken;
        _log = log;
        _listener = UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, MaxConnections, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _epoll.Add(_listener.Descriptor, firstToken);
    }

    /// <summary>The listener or a connection is ready.</summary>
    public void OnReady(int token)
    {
        if (token == _firstToken)
        {
            Accept();
        }
        else if (_connections[token - _firstToken - 1] is { } connection && !TryServe(connection))
        {
            Close(token - _firstToken - 1);
        }
    }

    /// <summary>A test is over.</summary>
    public void OnTestResult(TestResult result)
    {
        if (_test is { } test)
        {
            _test = null;
            if (!test.Connection.TryReply(new DeviceTestReply { Id = test.Id, Result = result }))
            {
                Close(Array.IndexOf(_connections, test.Connection));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ManagementConnection? connection in _connections)
        {
            connection?.Dispose();
        }

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
            _log.Write(LogLevel.Warning, "manage", e.Message);
            return;
        }

        if (socket is null)
        {
            return;
        }

        var connection = new ManagementConnection(socket);
        int slot = Array.IndexOf(_connections, null);
        if (slot < 0)
        {
            _ = connection.TryRefuse(0, ErrorCode.TooManyConnections, $"{MaxConnections} connections are open.", "Close one of them.");
            connection.Dispose();
            return;
        }

        _connections[slot] = connection;
        _epoll.Add(connection.Descriptor, _firstToken + 1 + slot);
    }

    private bool TryServe(ManagementConnection connection)
    {
        IReadOnlyList<Descriptor> descriptors = [];
        try
        {
            return connection.TryReceive(out DeviceRequest? request, out descriptors) && (request is null || TryAnswer(connection, request, descriptors));
        }
        catch (LinuxException e)
        {
            _log.Write(LogLevel.Information, "manage", e.Message);
            return false;
        }
        finally
        {
            foreach (Descriptor descriptor in descriptors)
            {
                descriptor.Dispose();
            }
        }
    }

    private bool TryAnswer(ManagementConnection connection, DeviceRequest request, IReadOnlyList<Descriptor> descriptors)
    {
        try
        {
            DeviceReply? reply = Carry(connection, request, descriptors);
            return reply is null || connection.TryReply(reply);
        }
        catch (ArrakisException e)
        {
            _log.Write(LogLevel.Warning, "manage", $"{request.GetType().Name} refused: {e.Cause}");
            return connection.TryRefuse(request.Id, e.Code, e.Cause, e.Remedy);
        }
    }

    private DeviceReply? Carry(ManagementConnection connection, DeviceRequest request, IReadOnlyList<Descriptor> descriptors)
    {
        switch (request)
        {
            case ConfigurePortRequest configure:
                _ports.Configure(configure);
                break;
            case ClearPortRequest clear:
                _ports.Clear(clear);
                break;
            case ConfigureBlockPortRequest configure:
                _blockPorts.Configure(configure);
                break;
            case ClearBlockPortRequest clear:
                _blockPorts.Clear(clear);
                break;
            case AttachUplinkRequest:
                _ports.AttachUplink(descriptors[0]);
                break;
            case ReadCountersRequest:
                return new DeviceCountersReply { Id = request.Id, Ports = _ports.ReadCounters() };
            case ReadBlockCountersRequest:
                return new DeviceBlockCountersReply { Id = request.Id, Functions = _blockPorts.ReadCounters() };
            case DeviceTestRequest test when _test is null:
                _ports.StartTest(test.Plan);
                _test = (connection, request.Id);
                return null;
            case DeviceTestRequest:
                throw new ArrakisException(ErrorCode.DeviceUnavailable, "The tester runs another test.", "Wait for its end.");
            default:
                throw new ArrakisException(ErrorCode.InvalidRequest, $"This device does not know {request.GetType().Name}.", "Use a device of the same version.");
        }

        return new DeviceDoneReply { Id = request.Id };
    }

    private void Close(int slot)
    {
        if (slot < 0 || _connections[slot] is not { } connection)
        {
            return;
        }

        _connections[slot] = null;
        if (_test?.Connection == connection)
        {
            _test = null;
            _ports.CancelTest();
        }

        _epoll.Remove(connection.Descriptor);
        connection.Dispose();
    }
}
