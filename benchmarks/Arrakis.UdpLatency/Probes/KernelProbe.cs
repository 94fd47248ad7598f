using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Arrakis.Measuring.Report;

namespace Arrakis.UdpLatency.Probes;

/// <summary>Reaches an echo server with the kernel's own stack: ICMP, then UDP datagrams compared byte by byte.</summary>
internal static class KernelProbe
{
    private const int TimeoutMilliseconds = 2000;

    public static async Task<ProbeReport> RunAsync(ProbeOrder order)
    {
        (int answered, string? fault) = await PingAsync(order);
        return fault is null ? Exchange(order, answered) : new ProbeReport(answered, 0, 0, 0, fault);
    }

    private static async Task<(int Answered, string? Fault)> PingAsync(ProbeOrder order)
    {
        using var ping = new Ping();
        byte[] data = new byte[56]; // As ping(8).
        new Random(order.Seed).NextBytes(data);
        for (int i = 0; i < order.Pings; i++)
        {
            PingReply reply = await ping.SendPingAsync(IPAddress.Parse(order.Target), TimeoutMilliseconds, data);
            if (reply.Status != IPStatus.Success)
            {
                return (i, $"ping {i + 1} of {order.Pings}: {reply.Status}");
            }

            if (!reply.Buffer.AsSpan().SequenceEqual(data))
            {
                return (i, $"ping {i + 1} of {order.Pings} came back with other data");
            }
        }

        return (order.Pings, null);
    }

    private static ProbeReport Exchange(ProbeOrder order, int answered)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = TimeoutMilliseconds };
        socket.Connect(IPAddress.Parse(order.Target), order.Port);
        byte[] buffer = new byte[ProbeDatagrams.MaxLength + 1];
        List<double> times = [];
        long bytes = 0;
        foreach (byte[] datagram in ProbeDatagrams.Generate(order.Datagrams, order.Seed))
        {
            long start = Stopwatch.GetTimestamp();
            _ = socket.Send(datagram);
            int length = socket.Receive(buffer, SocketFlags.None, out SocketError error);
            string? fault = error == SocketError.Success
                ? ProbeDatagrams.Compare(datagram, buffer.AsSpan(0, length))
                : $"a datagram of {datagram.Length} bytes was not echoed ({error})";
            if (fault is not null)
            {
                return new ProbeReport(answered, times.Count, bytes, 0, fault);
            }

            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            bytes += length;
        }

        return new ProbeReport(answered, times.Count, bytes, Statistics.Median(times), null);
    }
}
