namespace Arrakis.DataPlane.Storage;

/// <summary>A request of a storage area from its start to its end; used again and again.</summary>
internal sealed class PendingRequest(BlockQueue queue) : PolledOperation<int>
{
    /// <summary>The next in the list that it is in.</summary>
    public PendingRequest? Next { get; set; }

    /// <summary>What was asked.</summary>
    public BlockOperation Operation { get; private set; }

    /// <summary>The first block, in the area.</summary>
    public long Block { get; private set; }

    /// <summary>How many.</summary>
    public long Count { get; private set; }

    /// <summary>The buffer's place in its pool.</summary>
    public int Buffer { get; private set; }

    /// <summary>Where the data is in queue memory.</summary>
    public long DataOffset { get; private set; }

    /// <summary>Whether its writes force unit access.</summary>
    public bool ForcesUnitAccess { get; private set; }

    /// <summary>Whether a flush is to follow its writes.</summary>
    public bool NeedsFlush { get; private set; }

    /// <summary>Whether its end is told by a <see cref="BlockResult"/>; otherwise somebody awaits it.</summary>
    public bool IsBatch { get; private set; }

    /// <summary>Names it in the result.</summary>
    public ulong Token { get; private set; }

    /// <summary>Blocks that were given to the ring, or are not to be any more.</summary>
    public long Issued { get; set; }

    /// <summary>Parts that the device has.</summary>
    public int PartsLeft { get; set; }

    /// <summary>The first failure, if there is one.</summary>
    public BlockStatus Status { get; private set; }

    /// <summary>The device's word for it.</summary>
    public int RawStatus { get; private set; }

    /// <summary>When it came into the list that it is in.</summary>
    public uint Tick { get; set; }

    /// <summary>Whether it was completed.</summary>
    public bool IsEnded { get; set; }

    /// <summary>Prepares a use.</summary>
    public void Start(BlockOperation operation, long block, long count, int buffer, long dataOffset, bool forcesUnitAccess, bool needsFlush, Reactor? poller)
    {
        Operation = operation;
        Block = block;
        Count = count;
        Buffer = buffer;
        DataOffset = dataOffset;
        ForcesUnitAccess = forcesUnitAccess;
        NeedsFlush = needsFlush;
        IsBatch = false;
        Issued = 0;
        PartsLeft = 0;
        Status = BlockStatus.Success;
        RawStatus = 0;
        IsEnded = false;
        Poller = poller;
    }

    /// <summary>Its end is told by a result.</summary>
    public void TellByResult(ulong token)
    {
        IsBatch = true;
        Token = token;
    }

    /// <summary>Notes how a part ended; the first failure stays.</summary>
    public void Note(BlockStatus status, int rawStatus)
    {
        if (status != BlockStatus.Success && Status == BlockStatus.Success)
        {
            Status = status;
            RawStatus = rawStatus;
        }
    }

    /// <summary>Completes it for who awaits it.</summary>
    public void Complete()
    {
        if (Status == BlockStatus.Success)
        {
            SetResult(0);
        }
        else
        {
            SetException(new BlockRequestException(Operation, Block, Count, Status, RawStatus));
        }
    }

    protected override void OnConsumed() => queue.Return(this);
}
