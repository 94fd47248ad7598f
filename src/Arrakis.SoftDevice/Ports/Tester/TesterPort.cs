using Arrakis.Contract.Control;
using Arrakis.Native.Events;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>
/// A traffic generator at the wire: it runs in the polling loop, sends UDP datagrams and checks their echoes, as a hardware
/// tester would. It has an address only while a test runs. Polling thread only, but for what says otherwise.
/// </summary>
internal sealed class TesterPort
{
    private const int BatchLength = 32;

    private readonly Clock _clock;
    private readonly EventFd _attention;
    private readonly byte[] _arpReply = GC.AllocateArray<byte>(EthernetView.MinFrameLength, pinned: true);
    private bool _arpReplyDue;
    private TestRun? _run;
    private TestRun? _finished;

    /// <param name="clock">Times round trips.</param>
    /// <param name="attention">Raised when a test is over.</param>
    public TesterPort(Clock clock, EventFd attention)
    {
        _clock = clock;
        _attention = attention;
    }

    /// <summary>The tester's MAC, locally administered; no virtual function can be granted it.</summary>
    public static MacAddress Mac { get; } = new(0x02_41_52_4B_54_01);

    /// <summary>Counters; any thread may read them.</summary>
    public PortStatistics Statistics { get; } = new();

    /// <summary>Whether a test runs.</summary>
    public bool IsRunning => _run is not null;

    /// <summary>Starts a test. The result of one that nobody waited for is forgotten.</summary>
    public void Start(TestPlan plan)
    {
        Volatile.Write(ref _finished, null);
        _run = new TestRun(plan, Mac, _clock.Now);
    }

    /// <summary>Ends a test without a result.</summary>
    public void Cancel() => _run = null;

    /// <summary>Takes the result of a test that is over. Any thread: it makes up the result, so that the polling thread need not.</summary>
    public bool TryTakeResult(out TestResult result)
    {
        TestRun? finished = Interlocked.Exchange(ref _finished, null);
        result = finished?.Result()!;
        return finished is not null;
    }

    /// <summary>Whether an address is the tester's at present.</summary>
    public bool IsAddress(Ipv4Address address) => _run is { } run && run.Source == address;

    /// <summary>Whether a frame of somebody else claims to be from the tester.</summary>
    public DropReason CheckClaim(in FrameHeader frame) =>
        _run is null || (frame.Source != Mac && !(frame.Type is EtherType.Ipv4 or EtherType.Arp && frame.Sender == _run.Source))
            ? DropReason.None
            : frame.Source == Mac ? DropReason.GrantedMacClaimed : DropReason.GrantedAddressClaimed;

    /// <summary>Sends a batch of what is due. Whether there was anything.</summary>
    public bool Poll(EthernetSwitch network)
    {
        if (_run is not { } run)
        {
            return false;
        }

        bool sent = _arpReplyDue;
        if (_arpReplyDue)
        {
            _arpReplyDue = false;
            network.FromTester(_arpReply);
        }

        for (int requests = 0; requests < BatchLength && run.TryNextRequest(_clock, out ReadOnlySpan<byte> frame); requests++)
        {
            network.FromTester(frame);
            sent = true;
        }

        if (run.IsDone)
        {
            Volatile.Write(ref _finished, run);
            _run = null;
            _attention.Signal();
        }

        return sent;
    }

    /// <summary>Takes a frame for the tester.</summary>
    public void Deliver(in FrameHeader header, ReadOnlySpan<byte> frame)
    {
        if (_run is { } run
            && (header.Type == EtherType.Arp ? TryAnswer(run, header) : run.TryTakeReply(frame, _clock)))
        {
            Statistics.CountOut(frame.Length);
        }
        else
        {
            Statistics.CountDrop(DropReason.NotExpected);
        }
    }

    private bool TryAnswer(TestRun run, in FrameHeader request)
    {
        if (request.ArpOperation != ArpOperation.Request || request.Target != run.Source || _arpReplyDue)
        {
            return false;
        }

        EthernetView.Write(_arpReply, request.ArpSenderMac, Mac, EtherType.Arp);
        ArpView.Write(_arpReply.AsSpan(EthernetView.HeaderLength), ArpOperation.Reply, Mac, run.Source, request.ArpSenderMac, request.Sender);
        _arpReplyDue = true;
        return true;
    }
}
