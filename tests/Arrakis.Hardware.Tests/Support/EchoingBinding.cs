using Arrakis.Contract;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>A binding of this process that a thread polls and echoes on, until it is disposed or taken.</summary>
internal sealed class EchoingBinding : IAsyncDisposable
{
    public const ushort Port = 7;

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _polling;
    private bool _disposed;

    private EchoingBinding(NicBinding nic)
    {
        Nic = nic;
        _polling = Task.Factory.StartNew(Poll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public NicBinding Nic { get; }

    /// <summary>Binds a function of the hardware device.</summary>
    public static async Task<EchoingBinding> BindAsync(ArrakisClient client, RingFormat rings = RingFormat.Split, VirtioFeatures offloads = VirtioFeatures.None, string? address = null) =>
        new(await client.BindNicAsync(
            new NicRequest { Device = HardwareDaemon.Device, RingFormat = rings, Offloads = offloads, Address = address is null ? null : Ipv4Prefix.Parse(address, null) },
            TestContext.Current.CancellationToken));

    /// <summary>What the poller learned when the binding was taken.</summary>
    public async Task<BindingRevokedException> TakenAsync() =>
        await Assert.ThrowsAsync<BindingRevokedException>(() => _polling.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken));

    /// <summary>Gives the binding back, or what is left of it; again does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }

        await _stop.CancelAsync();
        await _polling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Nic.DisposeAsync();
        _stop.Dispose();
    }

    private void Poll() => Nic.Poll(
        new PollOptions(),
        static (received, transmit) =>
        {
            foreach (Packet packet in received)
            {
                if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == Port)
                {
                    _ = transmit.Post(datagram.Reply());
                }
            }
        },
        _stop.Token);
}
