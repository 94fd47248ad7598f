using Arrakis.Wire;

namespace Arrakis.Interop.Tests.Support;

/// <summary>Datagrams to a DPDK process, which sends each back with its addresses exchanged.</summary>
internal sealed class ReflectedDatagrams(NicBinding nic, Ipv4Address other)
{
    /// <summary>testpmd's mode that sends them back; before, <c>icmpecho</c> has it answer the question for its address.</summary>
    public const string Mode = "5tswap";

    private const ushort Port = 77;
    private const int InFlight = 32;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(45);
    private static readonly byte[] s_question = [0];

    private readonly UdpEndPoint _asked = new(other, 9000);
    private readonly UdpEndPoint _reflecting = new(other, 9001);

    /// <summary>Sends until the neighbour's hardware address is known, which takes DPDK's answer to our question.</summary>
    public void Resolve(int queue = 0)
    {
        NetCounters counters = nic.Queues[queue].Counters;
        long before = counters.ArpPackets;
        bool Asks() => nic.Queues[queue].TrySend(7, _asked, s_question);
        Poll(nic, () => counters.ArpPackets > before && Asks(), static (_, _) => { }, () => _ = Asks());
    }

    /// <summary>Sends datagrams of many sizes, whose bytes tell their number; each comes back once, unchanged and in order.</summary>
    public void Echo(int count, int queue = 0)
    {
        int next = 0;
        int back = 0;
        byte[] payload = new byte[1472];
        Poll(
            nic,
            () => back == count,
            (received, _) =>
            {
                foreach (Packet packet in received)
                {
                    if (!packet.TryGetUdp(out UdpDatagram datagram) || datagram.Payload.Length == s_question.Length)
                    {
                        continue; // A neighbour's, such as a host's report of its groups; or of the time before, a question for the address.
                    }

                    Assert.Equal(_reflecting, datagram.Source);
                    Assert.Equal(Port, datagram.DestinationPort);
                    Assert.True(datagram.Payload.SequenceEqual(Fill(payload, back)));
                    back++;
                }
            },
            () =>
            {
                while (next < count && next - back < InFlight && nic.Queues[queue].TrySend(Port, _reflecting, Fill(payload, next)))
                {
                    next++;
                }
            });
    }

    /// <summary>Polls all queues until something holds; fails with the counters if it does not come.</summary>
    public static void Poll(NicBinding nic, Func<bool> until, PacketHandler handler, Action? between = null)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!until())
        {
            between?.Invoke();
            int received = 0;
            foreach (NicQueue queue in nic.Queues)
            {
                queue.Sender.Flush();
                received += queue.PollOnce(handler);
            }

            if (received == 0)
            {
                Thread.Yield();
                Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, $"Nothing comes: {string.Join(' ', nic.Counters.ToDictionary())}");
            }
        }
    }

    private static ReadOnlySpan<byte> Fill(byte[] payload, int number)
    {
        Span<byte> part = payload.AsSpan(0, 4 + (number * 97 % 1400));
        part.Fill((byte)number);
        _ = BitConverter.TryWriteBytes(part, number);
        return part;
    }
}
