using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Link;

/// <summary>Finds hardware addresses and answers for this host's own (RFC 826, RFC 5227, RFC 1122 §2.3.2). Time is in nanoseconds.</summary>
internal sealed class ArpProtocol(MacAddress mac, Ipv4Prefix prefix, Ipv4Address? gateway, FrameSender sender, NetCounters counters, NeighbourDirectory? shared = null)
{
    /// <summary>How long an answer is used.</summary>
    public const long Lifetime = 60 * Second;

    /// <summary>Before its end a neighbour in use is asked again, so that no datagram waits for the answer.</summary>
    public const long RefreshBefore = 15 * Second;

    /// <summary>Between requests for one neighbour (RFC 1122 §2.3.2.1: no more than one a second).</summary>
    public const long RequestInterval = Second;

    /// <summary>Requests that stay unanswered before waiting frames are given up.</summary>
    public const int MaxRequests = 3;

    /// <summary>Frames that wait for all neighbours together.</summary>
    public const int MaxPending = 64;

    private const long Second = 1_000_000_000;

    private const int FrameLength = EthernetView.HeaderLength + ArpView.Length;

    private readonly Ipv4Address _address = prefix.Address;
    private readonly NeighbourTable _neighbours = new();
    private int _pending;
    private long _seenVersion;

    /// <summary>Whether any frame waits, so that <see cref="Tick"/> has to be called about each second.</summary>
    public bool HasPending => _pending > 0;

    /// <summary>Finds a neighbour's hardware address, if it is known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryResolve(Ipv4Address neighbour, long now, out MacAddress result)
    {
        ref Neighbour entry = ref _neighbours.Find(neighbour);
        result = entry.Mac;
        if (!entry.IsReachable(now))
        {
            return shared is not null && TryTakeOver(neighbour, now, out result);
        }

        if (now > entry.Expires - RefreshBefore)
        {
            Request(ref entry, now);
        }

        return true;
    }

    /// <summary>Whether another queue of the binding has learnt something since <see cref="TakeNews"/>.</summary>
    public bool HasNews
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => shared is not null && shared.Version != _seenVersion;
    }

    /// <summary>Takes over what other queues of the binding have learnt of neighbours that this one knows or waits for.</summary>
    public void TakeNews(long now)
    {
        long version = shared!.Version;
        foreach (ref Neighbour entry in _neighbours.Entries)
        {
            if (entry.Address == Ipv4Address.Any)
            {
                continue;
            }

            if (!shared.TryRead(entry.Address, out SharedNeighbour known))
            {
                return; // Somebody writes; the rest is taken the next time.
            }

            if (known.Expires > now && (known.Expires > entry.Expires || known.Mac != entry.Mac))
            {
                Resolve(ref entry, known.Mac, known.Expires);
            }
        }

        _seenVersion = version;
    }

    /// <summary>Sends a frame, complete but for its destination, when the neighbour's hardware address is known. Takes the buffer.</summary>
    public void SendWhenResolved(Ipv4Address neighbour, PacketBuffer buffer, int frameLength, long now)
    {
        ref Neighbour entry = ref FindOrReplace(neighbour);

        if (entry.PendingCount == 0)
        {
            // Unanswered refreshes of an address that was known do not count against the frame that waits from now on.
            entry.Requests = Math.Min(entry.Requests, 1);
        }

        if (entry.PendingCount == Neighbour.MaxPending)
        {
            DropOldest(ref entry, DropReason.NeighbourQueueFull);
        }

        if (_pending >= MaxPending)
        {
            sender.Return(buffer);
            counters.Count(DropReason.NeighbourQueueFull);
        }
        else
        {
            entry.Pending[entry.PendingCount++] = new Neighbour.PendingFrame(buffer, frameLength);
            _pending++;
        }

        Request(ref entry, now);
    }

    /// <summary>Takes an ARP packet.</summary>
    public void Receive(ref ReceivedFrame frame, ReadOnlySpan<byte> payload, long now)
    {
        FrameError error = ArpView.TryParse(payload, out ArpView arp);
        if (error != FrameError.None)
        {
            counters.Count(error);
            return;
        }

        counters.CountArp();

        // What this host sent itself came back.
        if (!arp.SenderMac.IsUnicast || arp.SenderMac == mac)
        {
            return;
        }

        // A sender of zero is a probe (RFC 5227 §1.1): answered, not learnt. This host's own address is never learnt.
        bool forUs = arp.TargetAddress == _address;
        if (IsNeighbour(arp.SenderAddress))
        {
            Learn(in arp, forUs, now);
        }

        if (forUs && arp.Operation == ArpOperation.Request)
        {
            Answer(ref frame, arp.SenderMac, arp.SenderAddress);
        }
    }

    /// <summary>Tells the network of this host's address (RFC 5227 §3: an announcement).</summary>
    public void Announce() => Send(MacAddress.Broadcast, _address, default);

    /// <summary>Repeats requests and gives up on neighbours that do not answer; to be called about each second.</summary>
    public void Tick(long now)
    {
        if (_pending == 0)
        {
            return;
        }

        foreach (ref Neighbour entry in _neighbours.Entries)
        {
            if (entry.PendingCount == 0 || now < entry.NextRequest)
            {
                continue;
            }

            if (entry.Requests >= MaxRequests)
            {
                Forget(ref entry, DropReason.NeighbourUnreachable);
            }
            else
            {
                Request(ref entry, now);
            }
        }
    }

    // Others never become a next hop, and would only wash the table out.
    private bool IsNeighbour(Ipv4Address sender) =>
        sender.IsUnicast && sender != _address && (prefix.Contains(sender) || sender == gateway);

    private void Learn(in ArpView arp, bool forUs, long now)
    {
        ref Neighbour entry = ref _neighbours.Find(arp.SenderAddress);
        bool isMissing = NeighbourTable.IsMissing(in entry);
        SharedNeighbour known = default;
        _ = shared?.TryRead(arp.SenderAddress, out known);
        if (isMissing && known.Address != arp.SenderAddress && (!forUs || arp.Operation != ArpOperation.Request))
        {
            // Only who asks for this host gets an entry: the broadcasts of others must not wash the table out, and an answer
            // without a question is a lie or late.
            return;
        }

        if (arp.Operation == ArpOperation.Reply && entry.Requests == 0 && !known.IsAsked && arp.TargetAddress != arp.SenderAddress)
        {
            // Nobody asked, and it is no announcement (RFC 5227 §3), by which an address moves to another station.
            return;
        }

        MacAddress hardware = arp.SenderMac;
        long expires = now + Lifetime;
        shared?.Publish(arp.SenderAddress, hardware, expires, now);
        if (isMissing)
        {
            entry = ref _neighbours.Victim(arp.SenderAddress);
            if (entry.PendingCount > 0)
            {
                return;
            }

            entry = default;
            entry.Address = arp.SenderAddress;
        }

        Resolve(ref entry, hardware, expires);
    }

    // What another queue knows already need not be asked for.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTakeOver(Ipv4Address neighbour, long now, out MacAddress result)
    {
        result = default;
        if (!shared!.TryRead(neighbour, out SharedNeighbour known) || known.Expires <= now)
        {
            return false;
        }

        ref Neighbour entry = ref FindOrReplace(neighbour);

        Resolve(ref entry, known.Mac, known.Expires);
        result = known.Mac;
        return true;
    }

    private ref Neighbour FindOrReplace(Ipv4Address neighbour)
    {
        ref Neighbour entry = ref _neighbours.Find(neighbour);
        if (NeighbourTable.IsMissing(in entry))
        {
            entry = ref _neighbours.Victim(neighbour);
            Forget(ref entry, DropReason.NeighbourQueueFull);
            entry.Address = neighbour;
        }

        return ref entry;
    }

    private void Resolve(ref Neighbour entry, MacAddress hardware, long expires)
    {
        entry.Mac = hardware;
        entry.Expires = expires;
        entry.Requests = 0;
        for (int i = 0; i < entry.PendingCount; i++)
        {
            Neighbour.PendingFrame waiting = entry.Pending[i];
            hardware.Write(sender.Frame(waiting.Buffer, waiting.Length));
            _ = sender.TrySend(waiting.Buffer, waiting.Length);
        }

        _pending -= entry.PendingCount;
        entry.PendingCount = 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Request(ref Neighbour entry, long now)
    {
        if (now < entry.NextRequest)
        {
            return;
        }

        entry.NextRequest = now + RequestInterval;
        entry.Requests++;
        if (shared is not null && !shared.TryBeginRequest(entry.Address, now, out entry.NextRequest))
        {
            return; // Another queue has asked just now.
        }

        Send(MacAddress.Broadcast, entry.Address, default);
    }

    private void Send(MacAddress destination, Ipv4Address target, MacAddress targetMac)
    {
        if (!sender.TryRent(out PacketBuffer buffer))
        {
            counters.Count(DropReason.NoBuffer);
            return;
        }

        Span<byte> frame = sender.Frame(buffer, FrameLength);
        EthernetView.Write(frame, destination, mac, EtherType.Arp);
        ArpView.Write(frame[EthernetView.HeaderLength..], ArpOperation.Request, mac, _address, targetMac, target);
        _ = sender.TrySend(buffer, FrameLength);
    }

    private void Answer(ref ReceivedFrame received, MacAddress to, Ipv4Address asker)
    {
        Span<byte> frame = sender.Frame(received.Buffer, FrameLength);
        EthernetView.Write(frame, to, mac, EtherType.Arp);
        ArpView.Write(frame[EthernetView.HeaderLength..], ArpOperation.Reply, mac, _address, to, asker);
        _ = sender.TryReply(ref received, 0, FrameLength);
    }

    private void Forget(ref Neighbour entry, DropReason reason)
    {
        while (entry.PendingCount > 0)
        {
            DropOldest(ref entry, reason);
        }

        entry = default;
    }

    private void DropOldest(ref Neighbour entry, DropReason reason)
    {
        sender.Return(entry.Pending[0].Buffer);
        counters.Count(reason);
        _pending--;
        entry.PendingCount--;
        for (int i = 0; i < entry.PendingCount; i++)
        {
            entry.Pending[i] = entry.Pending[i + 1];
        }
    }
}
