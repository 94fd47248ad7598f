using System.Diagnostics;
using Arrakis.UdpLatency.Report;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Probes;

/// <summary>Reaches an echo server from a virtual function of this process's own; sleeps while it waits, so that it may share a core.</summary>
internal static class BindingProbe
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public static async Task<ProbeReport> RunAsync(ProbeOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest { Address = Ipv4Prefix.Parse(order.Address!, null) });
        using Reactor reactor = Reactor.Start(nic, order.Core, IdlePolicy.Adaptive);
        return await reactor.RunAsync(() => ExchangeAsync(order));
    }

    private static async Task<ProbeReport> ExchangeAsync(ProbeOrder order)
    {
        using var socket = new UdpSocket();
        var target = new UdpEndPoint(Ipv4Address.Parse(order.Target, null), order.Port);
        byte[] buffer = new byte[ProbeDatagrams.MaxLength + 1];
        List<double> times = [];
        long bytes = 0;
        foreach (byte[] datagram in ProbeDatagrams.Generate(order.Datagrams, order.Seed))
        {
            using var timeout = new CancellationTokenSource(s_timeout);
            long start = Stopwatch.GetTimestamp();
            string? fault;
            int length = 0;
            try
            {
                _ = await socket.SendToAsync(datagram, target, timeout.Token);
                length = (await socket.ReceiveFromAsync(buffer, timeout.Token)).ReceivedBytes;
                fault = ProbeDatagrams.Compare(datagram, buffer.AsSpan(0, length));
            }
            catch (OperationCanceledException)
            {
                fault = $"a datagram of {datagram.Length} bytes was not echoed in time";
            }

            if (fault is not null)
            {
                return new ProbeReport(0, times.Count, bytes, 0, fault);
            }

            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            bytes += length;
        }

        return new ProbeReport(0, times.Count, bytes, Statistics.Median(times), null);
    }
}
