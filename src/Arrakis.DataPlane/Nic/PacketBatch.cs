using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;

namespace Arrakis;

/// <summary>Packets that were received together: the datagrams to this host. ARP and ICMP are answered before the handler sees anything.</summary>
public readonly ref struct PacketBatch
{
    private readonly NicQueue _nic;
    private readonly ReadOnlySpan<ReceivedFrame> _frames;

    internal PacketBatch(NicQueue nic, ReadOnlySpan<ReceivedFrame> frames, int count)
    {
        _nic = nic;
        _frames = frames;
        Count = count;
    }

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>Enumerates them in the order in which they came.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Enumerator GetEnumerator() => new(_nic, _frames);

    /// <summary>Enumerates a batch.</summary>
    public ref struct Enumerator
    {
        private readonly NicQueue _nic;
        private readonly ReadOnlySpan<ReceivedFrame> _frames;
        private int _index;

        internal Enumerator(NicQueue nic, ReadOnlySpan<ReceivedFrame> frames)
        {
            _nic = nic;
            _frames = frames;
            _index = -1;
        }

        /// <summary>The packet.</summary>
        public readonly Packet Current
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => new(_nic, _frames[_index].Buffer, _index, 0, _frames[_index].Length);
        }

        /// <summary>Goes on to the next packet.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool MoveNext()
        {
            while (++_index < _frames.Length)
            {
                if (_frames[_index].IsDatagram)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
