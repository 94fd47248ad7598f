using Arrakis.Contract;
using Arrakis.Native.Net;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>All ports and the switch in the test's own thread: rounds are polled and time is moved by the test. A socket takes the place of the kernel.</summary>
internal sealed class SwitchUnderTest : IDisposable
{
    public const int RingSize = 64;
    private const int BufferSize = 2048;

    private readonly Driver[] _drivers;
    private readonly UnixSocket _kernel;
    private readonly TapWire _wire;

    private readonly VirtioFeatures _features;

    public SwitchUnderTest(int functions = 3, bool offersBuffers = true, VirtioFeatures features = VirtioFeatures.Version1)
    {
        _features = features;
        Core = new DeviceCore(functions, Clock);
        _drivers = [.. Enumerable.Range(0, functions).Select(_ => new Driver(offersBuffers))];
        for (int function = 0; function < functions; function++)
        {
            AttachReceive(function);
            AttachTransmit(function);
        }

        (_kernel, UnixSocket device) = UnixSocket.Pair(UnixSocketKind.SequencedPacket);
        _wire = new TapWire(device.Descriptor);
        Core.Uplink.Attach(_wire, null);
    }

    public Clock Clock { get; } = Clock.Manual();

    public DeviceCore Core { get; }

    public static MacAddress Mac(int function) => DeviceUnderTest.Mac(function);

    public static Ipv4Address Address(int function) => DeviceUnderTest.Address(function);

    public DriverRing Receive(int function) => _drivers[function].Receive;

    public DriverRing Transmit(int function) => _drivers[function].Transmit;

    public QueueMemory Memory(int function) => _drivers[function].Memory;

    public void AttachReceive(int function, VirtioFeatures? features = null) =>
        Core.Functions[function].AttachReceive(0, Running(function, Receive(function), features ?? _features));

    public void AttachTransmit(int function, VirtioFeatures? features = null) =>
        Core.Functions[function].AttachTransmit(0, Running(function, Transmit(function), features ?? _features));

    private RunningRing Running(int function, DriverRing ring, VirtioFeatures features) =>
        new(ring.AttachDevice(ring.UsedIndex, features), Memory(function).Table, features, null, null, hasDoorbell: true);

    public void Configure(int function, int? identity = null, RateSpecifier? rate = null, params FilterRule[] filter)
    {
        Core.Functions[function].Configure(
            new PortIdentity(Mac(identity ?? function), Address(identity ?? function), new FrameFilter(filter)),
            rate,
            Clock.Now);
        Core.Switch.UpdateGranted();
    }

    public void ConfigureAll()
    {
        for (int function = 0; function < _drivers.Length; function++)
        {
            Configure(function);
        }
    }

    public void Clear(int function)
    {
        Core.Functions[function].Configure(null, null, Clock.Now);
        Core.Switch.UpdateGranted();
    }

    /// <summary>The driver sends a frame, and the device is polled until it has nothing more to do.</summary>
    public void Send(int function, ReadOnlySpan<byte> frame)
    {
        Post(function, frame);
        Poll();
    }

    /// <summary>The driver makes a frame available.</summary>
    public void Post(int function, ReadOnlySpan<byte> frame, byte[]? header = null)
    {
        Reclaim(function);
        header ??= new byte[VirtioNetHeader.Length];
        int pieces = (header.Length + frame.Length + BufferSize - 1) / BufferSize;
        Assert.True(Transmit(function).TrySend([.. header, .. frame], pieces));
    }

    public void Reclaim(int function)
    {
        while (Transmit(function).TryTake(out _))
        {
        }
    }

    public void Poll()
    {
        while (Core.PollOnce())
        {
        }
    }

    public void SendFromKernel(ReadOnlySpan<byte> frame)
    {
        Core.Switch.FromUplink(frame, FrameOffload.None);
        Core.Switch.Flush();
    }

    public void SendFromTester(ReadOnlySpan<byte> frame)
    {
        Core.Switch.FromTester(frame);
        Core.Switch.Flush();
    }

    /// <summary>What a driver has received since the last look; the buffers go back.</summary>
    public List<byte[]> Received(int function) => [.. ReceivedWithHeaders(function).Select(received => received.Frame)];

    /// <summary>The same with the headers; a frame over several buffers is one.</summary>
    public List<(byte[] Header, byte[] Frame)> ReceivedWithHeaders(int function)
    {
        List<(byte[] Header, byte[] Frame)> frames = [];
        while (Receive(function).TryTake(out byte[] data))
        {
            Assert.True(Receive(function).TryOffer());
            for (int more = data[VirtioNetHeader.BufferCountOffset] - 1; more > 0; more--)
            {
                Assert.True(Receive(function).TryTake(out byte[] next));
                Assert.True(Receive(function).TryOffer());
                data = [.. data, .. next];
            }

            frames.Add((data[..VirtioNetHeader.Length], data[VirtioNetHeader.Length..]));
        }

        return frames;
    }

    /// <summary>What the kernel has received since the last look.</summary>
    public List<byte[]> ReceivedByKernel()
    {
        List<byte[]> frames = [];
        byte[] buffer = new byte[BufferSize];
        while (_kernel.TryReceive(buffer) is { Length: > 0 } message)
        {
            frames.Add(buffer[..message.Length]);
        }

        return frames;
    }

    public void AssertReceived(byte[] frame, params int[] functions)
    {
        for (int function = 0; function < _drivers.Length; function++)
        {
            List<byte[]> received = Received(function);
            if (functions.Contains(function))
            {
                Assert.Equal(frame, Assert.Single(received));
            }
            else
            {
                Assert.Empty(received);
            }
        }
    }

    /// <summary>The statistics of vf0, vf1 ..., uplink or tester.</summary>
    public PortStatistics Statistics(string port) => port switch
    {
        "uplink" => Core.Uplink.Statistics,
        "tester" => Core.Tester.Statistics,
        _ => Core.Functions[port[2] - '0'].Statistics,
    };

    public IReadOnlyDictionary<string, long> Drops(string port) => Statistics(port).Read().Drops;

    /// <summary>The kernel takes no more frames.</summary>
    public void CloseKernel() => _kernel.Dispose();

    public void Dispose()
    {
        Core.Dispose();
        _wire.Dispose();
        _kernel.Dispose();
        foreach (Driver driver in _drivers)
        {
            driver.Memory.Dispose();
        }
    }

    private sealed class Driver
    {
        public Driver(bool offersBuffers)
        {
            long second = RingLayout.At(RingFormat.Split, 0, RingSize).End;
            long buffers = RingLayout.At(RingFormat.Split, second, RingSize).End + 4095 & ~4095L;
            Memory = new QueueMemory(buffers + 2 * RingSize * BufferSize);
            Receive = new DriverRing(Memory, 0, RingSize, BufferSize, buffers);
            Transmit = new DriverRing(Memory, second, RingSize, BufferSize, buffers + RingSize * BufferSize);
            while (offersBuffers && Receive.TryOffer())
            {
            }
        }

        public QueueMemory Memory { get; }

        public DriverRing Receive { get; }

        public DriverRing Transmit { get; }
    }
}
