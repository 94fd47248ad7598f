using System.Net;
using System.Net.Sockets;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>Datagrams that the kernel's stack sends to an echo, one after the other, until it is disposed.</summary>
internal sealed class KernelTraffic : IAsyncDisposable
{
    private const int TimeoutMilliseconds = 200;
    private const int PayloadLength = 64;

    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = TimeoutMilliseconds, SendTimeout = TimeoutMilliseconds };
    private readonly Task _sending;
    private long _echoes;

    private KernelTraffic(string target, ushort port)
    {
        _socket.Connect(IPAddress.Parse(target), port);
        _sending = Task.Factory.StartNew(Exchange, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>How many came back.</summary>
    public long Echoes => Interlocked.Read(ref _echoes);

    /// <summary>Starts it.</summary>
    public static KernelTraffic Start(NicBinding nic) => Start(nic.Address.Address.ToString(), EchoingBinding.Port);

    /// <summary>Starts it.</summary>
    public static KernelTraffic Start(string target, ushort port) => new(target, port);

    /// <summary>Waits until so many more have come back.</summary>
    public async Task MoreAsync(long count)
    {
        long goal = Echoes + count;
        long start = TimeProvider.System.GetTimestamp();
        while (Echoes < goal)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60), $"Only {Echoes} of {goal} echoes came.");
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _sending;
        _socket.Dispose();
        _stop.Dispose();
    }

    private void Exchange()
    {
        byte[] sent = new byte[PayloadLength];
        byte[] received = new byte[PayloadLength + 1];
        var random = new Random(1);
        while (!_stop.IsCancellationRequested)
        {
            random.NextBytes(sent);
            try
            {
                _ = _socket.Send(sent);
                while (!sent.AsSpan().SequenceEqual(received.AsSpan(0, _socket.Receive(received))))
                {
                    // An earlier one came late; it was given up for lost.
                }

                _ = Interlocked.Increment(ref _echoes);
            }
            catch (SocketException)
            {
                // Nobody is there, or not yet, or no more.
            }
        }
    }
}
