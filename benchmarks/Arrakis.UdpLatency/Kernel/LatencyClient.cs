using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Arrakis.Native.Threads;
using Arrakis.UdpLatency.Report;
using HdrHistogram;

namespace Arrakis.UdpLatency.Kernel;

/// <summary>
/// A closed-loop client on a kernel socket: so many requests in flight, each reply checked and at once followed by the
/// slot's next request. Nothing is allocated while it measures.
/// </summary>
internal sealed class LatencyClient
{
    private const int CountingMilliseconds = 100;
    private static readonly long LossTimeout = Stopwatch.Frequency / 10;

    private readonly Socket _socket;
    private readonly RequestSlots _slots;
    private readonly byte[] _reply;
    private readonly MessageBatch? _batch;
    private readonly LongHistogram _histogram = new(1, 10_000_000_000, 3);
    private long _received;
    private long _lost;
    private long _corrupt;

    private LatencyClient(Socket socket, ClientOrder order)
    {
        _socket = socket;
        _slots = new RequestSlots(order.InFlight, order.PayloadLength);
        _reply = new byte[order.PayloadLength + 1];
        _batch = order.Use == SocketUse.Batch ? new MessageBatch(order.InFlight, withNames: false) : null;
    }

    /// <summary>Runs on the calling thread, which is pinned to the order's core.</summary>
    public static Measurement Run(ClientOrder order)
    {
        PinnedThread.Pin(order.Core);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.ReceiveTimeout = 100;
        socket.Bind(new IPEndPoint(IPAddress.Parse(order.Source), order.SourcePort));
        socket.Connect(new IPEndPoint(IPAddress.Parse(order.Target), order.TargetPort));
        socket.Blocking = order.Use == SocketUse.Blocking;
        var client = new LatencyClient(socket, order);
        client.SendAll();
        _ = client.Loop(Milliseconds(order.WarmupMilliseconds));
        client.Reset();
        double seconds = client.Loop(Milliseconds(order.DurationMilliseconds));
        Measurement measured = client.Result(seconds);
        return measured with { SystemCallsPerRequest = client.CountSystemCalls(order.ServingThread) };
    }

    private static long Milliseconds(int value) => value * (Stopwatch.Frequency / 1000);

    private void SendAll()
    {
        for (int slot = 0; slot < _slots.Count; slot++)
        {
            Send(slot, Stopwatch.GetTimestamp());
        }
    }

    private void Send(int slot, long now) => _socket.Send(_slots.Next(slot, now), SocketFlags.None);

    /// <summary>Answers, measures and sends on for so many stopwatch ticks; returns the seconds it took.</summary>
    private double Loop(long duration)
    {
        long start = Stopwatch.GetTimestamp();
        long end = start + duration;
        long nextLossCheck = start + LossTimeout;
        long now = start;
        while (now < end)
        {
            now = _batch is null ? ExchangeOne() : ExchangeBatch(_batch);

            if (now >= nextLossCheck)
            {
                SendLostAnew(now);
                nextLossCheck = now + LossTimeout;
            }
        }

        return Stopwatch.GetElapsedTime(start, now).TotalSeconds;
    }

    private long ExchangeOne()
    {
        int length = _socket.Receive(_reply, SocketFlags.None, out SocketError error);
        long now = Stopwatch.GetTimestamp();
        if (error == SocketError.Success && TryTake(_reply.AsSpan(0, length), now, out int slot))
        {
            Send(slot, Stopwatch.GetTimestamp());
        }

        return now;
    }

    private long ExchangeBatch(MessageBatch batch)
    {
        int socket = (int)_socket.Handle;
        int count = batch.Receive(socket);
        long now = Stopwatch.GetTimestamp();
        int next = 0;
        for (int i = 0; i < count; i++)
        {
            if (TryTake(batch[i], now, out int slot))
            {
                batch.Set(next++, _slots.Next(slot, now)); // Never before what is still to be read.
            }
        }

        batch.Send(socket, next);
        return now;
    }

    private bool TryTake(ReadOnlySpan<byte> reply, long now, out int slot)
    {
        ReplyMatch match = _slots.Match(reply, out slot);
        if (match != ReplyMatch.Exact)
        {
            _corrupt += match == ReplyMatch.Corrupt ? 1 : 0;
            return false;
        }

        _received++;
        long ticks = now - _slots.SentAt(slot);
        _histogram.RecordValue(ticks * (1_000_000_000 / Stopwatch.Frequency));
        return true;
    }

    private void SendLostAnew(long now)
    {
        for (int slot = 0; slot < _slots.Count; slot++)
        {
            if (now - _slots.SentAt(slot) > LossTimeout)
            {
                _lost++;
                Send(slot, Stopwatch.GetTimestamp());
            }
        }
    }

    private void Reset()
    {
        _histogram.Reset();
        _received = 0;
        _lost = 0;
        _corrupt = 0;
    }

    /// <summary>Apart from the timed run: while the tracepoint is on, every system call of the machine takes longer.</summary>
    private double CountSystemCalls(int thread)
    {
        Reset();
        using var systemCalls = new SystemCallCounter(thread);
        long before = systemCalls.Count;
        _ = Loop(Milliseconds(CountingMilliseconds));
        return (double)(systemCalls.Count - before) / Math.Max(1, _received);
    }

    private Measurement Result(double seconds) => new(
        _received,
        _lost,
        _corrupt,
        seconds,
        _histogram.GetValueAtPercentile(50),
        _histogram.GetValueAtPercentile(99),
        _histogram.GetValueAtPercentile(99.9),
        SystemCallsPerRequest: 0,
        _histogram.GetValueAtPercentile(99.99),
        _histogram.GetValueAtPercentile(100))
    {
        Distribution = RoundTripDistribution.Of(_histogram),
    };
}
