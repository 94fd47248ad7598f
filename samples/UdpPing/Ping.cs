using System.Diagnostics;

namespace Arrakis.Samples.UdpPing;

/// <summary>What came of it.</summary>
internal sealed class PingReport(int capacity)
{
    private readonly List<double> _microseconds = new(capacity);

    internal int Sent { get; set; }

    internal int Corrupt { get; set; }

    internal int Lost { get; set; }

    internal int Same => _microseconds.Count;

    internal void Add(TimeSpan roundTrip) => _microseconds.Add(roundTrip.TotalMicroseconds);

    internal double Percentile(int percent)
    {
        _microseconds.Sort();
        return Same == 0 ? 0 : _microseconds[Math.Min(Same - 1, Same * percent / 100)];
    }
}

/// <summary>One datagram at a time, each with bytes and a length of its own. A cancelled run reports what it has.</summary>
internal static class Ping
{
    private const int HeaderBytes = 28; // IPv4 20, UDP 8
    private const int Stride = 257; // Prime: the lengths go through all of 0 to the largest before they repeat.
    private const int Seed = 7;

    internal static async Task<PingReport> RunAsync(UdpEndPoint server, int count, int mtu, TimeSpan wait, CancellationToken cancellation)
    {
        var report = new PingReport(count);
        var random = new Random(Seed);
        byte[] request = new byte[mtu - HeaderBytes];
        byte[] reply = new byte[mtu];
        using var socket = new UdpSocket();
        for (int i = 0; i < count && !cancellation.IsCancellationRequested; i++)
        {
            int length = i * Stride % (request.Length + 1);
            random.NextBytes(request.AsSpan(0, length));
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(wait);
            long start = Stopwatch.GetTimestamp();
            try
            {
                report.Sent++;
                await socket.SendToAsync(request.AsMemory(0, length), server, patience.Token);
                (int received, UdpEndPoint from) = await socket.ReceiveFromAsync(reply, patience.Token);
                TimeSpan roundTrip = Stopwatch.GetElapsedTime(start);
                if (from == server && reply.AsSpan(0, received).SequenceEqual(request.AsSpan(0, length)))
                {
                    report.Add(roundTrip);
                }
                else
                {
                    report.Corrupt++;
                }
            }
            catch (OperationCanceledException)
            {
                report.Lost++;
            }
        }

        return report;
    }
}
