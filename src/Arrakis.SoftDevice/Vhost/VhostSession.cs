using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>
/// One front end's session (vhost-user specification, "Communication"): sets up the rings of one function and
/// hands them to the polling thread. Control thread only.
/// </summary>
internal sealed class VhostSession : IDisposable
{
    // Of a packed ring, the available position is in the lower half and the used one in the upper (vhost-user, "Vring
    // descriptor indices for packed virtqueues").
    private const int UsedBaseShift = 16;

    private readonly VhostConnection _connection;
    private readonly IVhostFunction _function;
    private readonly PollingLoop _loop;
    private readonly int _maxQueueSize;
    private readonly VringSetup[] _rings;
    private MemoryTable? _memory;
    private VirtioFeatures? _features;
    private VhostUserProtocolFeatures _protocolFeatures;
    private ulong _status;
    private bool _isOwned;
    private string? _news;

    /// <param name="socket">The front end; owned.</param>
    /// <param name="function">What it is a session of.</param>
    /// <param name="loop">Watches the doorbells.</param>
    /// <param name="maxQueueSize">The longest ring that the device takes.</param>
    public VhostSession(UnixSocket socket, IVhostFunction function, PollingLoop loop, int maxQueueSize)
    {
        _connection = new VhostConnection(socket);
        _function = function;
        _rings = [.. Enumerable.Range(0, function.RingCount).Select(_ => new VringSetup())];
        _loop = loop;
        _maxQueueSize = maxQueueSize;
    }

    /// <summary>The connection.</summary>
    public Descriptor Descriptor => _connection.Descriptor;

    /// <summary>What is worth a line in the log since the last call; null where nothing is.</summary>
    public string? TakeNews()
    {
        string? news = _news;
        _news = null;
        return news;
    }

    /// <summary>Handles at most one message. False where the session must end.</summary>
    /// <param name="reason">Why it must end.</param>
    public bool TryProgress(out string reason)
    {
        reason = "";
        try
        {
            using VhostMessage? message = _connection.TryReceive(out bool isEnd);
            if (message is not null)
            {
                Handle(message);
            }

            reason = isEnd ? "the front end has closed the connection" : "";
            return !isEnd;
        }
        catch (Exception e) when (e is VhostProtocolException or LinuxException)
        {
            reason = e.Message;
            return false;
        }
    }

    /// <summary>Takes the rings from the polling thread and closes everything.</summary>
    public void Dispose()
    {
        StopRings();
        _function.EndSession();
        foreach (VringSetup ring in _rings)
        {
            ring.Dispose();
        }

        _memory?.Dispose();
        _connection.Dispose();
    }

    private void Handle(VhostMessage message)
    {
        bool replied = Dispatch(message);
        message.RequireDescriptors(0);
        if (!replied && message.NeedsReply && (_protocolFeatures & VhostUserProtocolFeatures.ReplyAck) != 0)
        {
            _connection.Reply(message.Request, 0);
        }
    }

    // Whether the request has a reply of its own.
    private bool Dispatch(VhostMessage message)
    {
        switch (message.Request)
        {
            case VhostUserRequest.GetFeatures:
                return Answer(message, (ulong)_function.Features);
            case VhostUserRequest.GetProtocolFeatures:
                return Answer(message, (ulong)_function.Protocol);
            case VhostUserRequest.GetQueueCount:
                return Answer(message, (ulong)_function.QueueCount);
            case VhostUserRequest.GetConfig:
                GetConfig(message);
                return true;
            case VhostUserRequest.NetSetMtu when (_function.Protocol & VhostUserProtocolFeatures.NetMtu) != 0:
                return SetMtu(message);
            case VhostUserRequest.GetStatus:
                return Answer(message, _status);
            case VhostUserRequest.GetVringBase:
                GetBase(message);
                return true;
            case VhostUserRequest.SetOwner:
                message.RequireEmpty();
                message.Require(!_isOwned, "the session has an owner already");
                _isOwned = true;
                return false;
            case VhostUserRequest.ResetOwner:
                message.RequireEmpty();
                Reset();
                return false;
            case VhostUserRequest.SetFeatures:
                SetFeatures(message);
                return false;
            case VhostUserRequest.SetProtocolFeatures:
                SetProtocolFeatures(message);
                return false;
            case VhostUserRequest.SetStatus:
                SetStatus(message);
                return false;
            case VhostUserRequest.SetMemoryTable:
                SetMemory(message);
                return false;
            case VhostUserRequest.SetVringSize:
                SetSize(message);
                return false;
            case VhostUserRequest.SetVringBase:
                SetBase(message);
                return false;
            case VhostUserRequest.SetVringAddress:
                SetAddress(message);
                return false;
            case VhostUserRequest.SetVringKick:
                SetKick(message);
                return false;
            case VhostUserRequest.SetVringCall:
                SetCall(message);
                return false;
            case VhostUserRequest.SetVringError:
                SetError(message);
                return false;
            case VhostUserRequest.SetVringEnable:
                SetEnable(message);
                return false;
            default:
                throw new VhostProtocolException($"request {(uint)message.Request} ({message.Request}) was not offered");
        }
    }

    private bool Answer(VhostMessage message, ulong number)
    {
        message.RequireEmpty();
        message.RequireDescriptors(0);
        _connection.Reply(message.Request, number);
        return true;
    }

    private void SetFeatures(VhostMessage message)
    {
        var features = (VirtioFeatures)message.ReadNumber();
        string? wrong = _function.Refuse(features);
        message.Require(wrong is null, wrong ?? "");
        message.Require(!IsRunning || features == _features, "features cannot change while a ring runs");
        _features = features;
        _news = $"the driver has chosen {_function.Describe(features)}";
    }

    private void SetProtocolFeatures(VhostMessage message)
    {
        var features = (VhostUserProtocolFeatures)message.ReadNumber();
        message.Require((features & ~_function.Protocol) == 0, $"protocol features {features & ~_function.Protocol} were not offered");
        _protocolFeatures = features;
    }

    private void GetConfig(VhostMessage message)
    {
        VhostConfigRange range = message.ReadConfigRange(out _);
        message.RequireDescriptors(0);
        Span<byte> payload = stackalloc byte[VhostConfigRange.HeaderLength + VhostConfigRange.MaxLength];
        payload.Clear();
        _function.WriteConfig(payload[VhostConfigRange.HeaderLength..]);
        payload.Slice(VhostConfigRange.HeaderLength + (int)range.Offset, (int)range.Length).CopyTo(payload[VhostConfigRange.HeaderLength..]);
        (range with { Flags = 0 }).Write(payload);
        _connection.Reply(message.Request, payload[..(VhostConfigRange.HeaderLength + (int)range.Length)]);
    }

    // An MTU that the device has not is said by the acknowledgement, where the front end wants one.
    private bool SetMtu(VhostMessage message)
    {
        ulong mtu = message.ReadNumber();
        if (_function.TrySetMtu(mtu))
        {
            return false;
        }

        message.Require(
            message.NeedsReply && (_protocolFeatures & VhostUserProtocolFeatures.ReplyAck) != 0,
            $"an MTU of {mtu} is not one of {VhostFeatures.MinMtu} to {EthernetSwitch.MaxMtu}");
        _connection.Reply(message.Request, 1);
        return true;
    }

    private void SetStatus(VhostMessage message)
    {
        _status = message.ReadNumber();
        message.Require(_status <= byte.MaxValue, "the status is not a byte");
        if (_status == 0)
        {
            Reset();
        }
    }

    private void SetMemory(VhostMessage message)
    {
        ReadOnlySpan<VhostMemoryRegion> regions = message.ReadMemoryTable();
        message.RequireDescriptors(regions.Length);
        Descriptor[] files = message.TakeDescriptors();
        MemoryTable memory;
        try
        {
            memory = FrontEndMemory.Map(regions, files);
        }
        finally
        {
            foreach (Descriptor file in files)
            {
                file.Dispose();
            }
        }

        // Rings that run go on in the new memory, at the addresses that they were told.
        StopRings();
        _memory?.Dispose();
        _memory = memory;
        StartRings();
    }

    private void SetSize(VhostMessage message)
    {
        VringState state = message.ReadState();
        VringSetup ring = StoppedRing(message, state.Index);
        message.Require(
            state.Value <= int.MaxValue && RingLayout.IsValidQueueSize((int)state.Value) && state.Value <= _maxQueueSize,
            $"a ring of {state.Value} is not a power of two from 2 to {_maxQueueSize}");
        ring.Size = (int)state.Value;
    }

    private void SetBase(VhostMessage message)
    {
        VringState state = message.ReadState();
        VringSetup ring = StoppedRing(message, state.Index);
        ushort next = (ushort)state.Value;
        uint used = state.Value >> UsedBaseShift;

        // A front end may leave the used position out. Another than the available one would be of buffers that this device
        // still had when it stopped, and it keeps none.
        message.Require(used == 0 || (IsPacked && used == next), $"a base of {state.Value:x} is not where the ring was left");
        ring.Base = next;
    }

    private void SetAddress(VhostMessage message)
    {
        VringAddress address = message.ReadAddress();
        VringSetup ring = Ring(message, address.Index);
        message.Require(address.Flags == 0, "logging was not offered");
        message.Require(ring.Running is null || ring.Address == address, "addresses cannot change while the ring runs");
        ring.Address = address;
    }

    private void SetKick(VhostMessage message)
    {
        VringSetup ring = RingOfEvent(message, out Descriptor? kick);
        string? missing = ring.Size == 0 ? "size" : ring.Address is null ? "addresses" : _memory is null ? "memory" : _features is null ? "features" : null;
        if (missing is not null)
        {
            kick?.Dispose();
            message.Require(false, $"the ring has no {missing} yet");
        }

        StopRings();
        ring.SetKick(kick);
        StartRings();
    }

    private void SetCall(VhostMessage message)
    {
        VringSetup ring = RingOfEvent(message, out Descriptor? call);
        StopRings();
        ring.SetCall(call);
        StartRings();
    }

    private void SetError(VhostMessage message)
    {
        VringSetup ring = RingOfEvent(message, out Descriptor? error);
        StopRings();
        ring.SetError(error);
        StartRings();
    }

    private void SetEnable(VhostMessage message)
    {
        VringState state = message.ReadState();
        message.Require(state.Value <= 1, $"{state.Value} is neither 0 nor 1");
        StopRings();
        Ring(message, state.Index).IsEnabled = state.Value == 1;
        StartRings();
    }

    // The reply goes out when the polling thread has let go of the ring.
    private void GetBase(VhostMessage message)
    {
        VringState state = message.ReadState();
        VringSetup ring = Ring(message, state.Index);
        message.RequireDescriptors(0);
        StopRings();
        ring.ClearKick();
        StartRings();
        Span<byte> payload = stackalloc byte[VringState.Length];
        new VringState(state.Index, IsPacked ? ring.Base | (uint)ring.Base << UsedBaseShift : ring.Base).Write(payload);
        _connection.Reply(message.Request, payload);
    }

    private VringSetup Ring(VhostMessage message, uint index)
    {
        message.Require(index < _rings.Length, $"there is no ring {index}");
        return _rings[index];
    }

    private VringSetup StoppedRing(VhostMessage message, uint index)
    {
        VringSetup ring = Ring(message, index);
        message.Require(ring.Running is null, $"ring {index} is running");
        return ring;
    }

    // The payload of KICK, CALL and ERR: the ring's index, and whether a descriptor comes with it.
    private VringSetup RingOfEvent(VhostMessage message, out Descriptor? descriptor)
    {
        ulong payload = message.ReadNumber();
        message.Require(
            (payload & ~(VringDescriptorPayload.IndexMask | VringDescriptorPayload.NoDescriptor)) == 0,
            $"payload {payload:x} has bits that mean nothing");
        VringSetup ring = Ring(message, (uint)(payload & VringDescriptorPayload.IndexMask));
        bool hasDescriptor = (payload & VringDescriptorPayload.NoDescriptor) == 0;
        message.RequireDescriptors(hasDescriptor ? 1 : 0);
        descriptor = hasDescriptor ? message.TakeDescriptors()[0] : null;
        if (descriptor is not null && !EventKind.IsEventFd(descriptor))
        {
            descriptor.Dispose();
            message.Require(false, "the descriptor is not an eventfd");
        }

        return ring;
    }

    private bool IsPacked => (_features & VirtioFeatures.RingPacked) != 0;

    private bool IsRunning => _rings.Any(ring => ring.Running is not null);

    private bool MayRun(VringSetup ring) =>
        _memory is not null
        && ring.IsKicked
        && (ring.IsEnabled || (_features & VirtioFeatures.VhostUserProtocolFeatures) == 0);

    private void StartRings()
    {
        for (int index = 0; index < _rings.Length; index++)
        {
            VringSetup ring = _rings[index];
            if (!MayRun(ring))
            {
                continue;
            }

            if (_features is null || (_features & VirtioFeatures.Version1) == 0)
            {
                throw new VhostProtocolException("VIRTIO_F_VERSION_1 was not negotiated; this device has no legacy interface");
            }

            if (_function.RefuseRing(index, _features.Value) is { } wrong)
            {
                throw new VhostProtocolException(wrong);
            }

            RingFault fault = ring.TryStart(_memory!, _features.Value, out RunningRing? running);
            if (fault != RingFault.None)
            {
                throw new VhostProtocolException($"ring {index} cannot be started: {fault}");
            }

            if (ring.Kick is not null)
            {
                _loop.AddDoorbell(ring.Kick);
            }

            _function.Attach(index, running!);
        }
    }

    private void StopRings()
    {
        for (int index = 0; index < _rings.Length; index++)
        {
            VringSetup ring = _rings[index];
            if (ring.Running is null)
            {
                continue;
            }

            _function.Detach(index);
            if (ring.Kick is not null)
            {
                _loop.RemoveDoorbell(ring.Kick);
            }

            ring.Stopped();
        }
    }

    private void Reset()
    {
        StopRings();
        foreach (VringSetup ring in _rings)
        {
            ring.ClearKick();
            ring.IsEnabled = false;
        }

        _features = null;
    }
}
