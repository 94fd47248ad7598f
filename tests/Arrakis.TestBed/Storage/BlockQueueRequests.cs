namespace Arrakis.TestBed.Storage;

/// <summary>One request at a time on a block queue that nothing else polls.</summary>
public static class BlockQueueRequests
{
    /// <summary>Submits a request and polls until it is done.</summary>
    /// <returns>What came of it.</returns>
    public static BlockStatus Complete(this BlockQueue queue, BlockRequest request)
    {
        queue.Submit([request]);
        Span<BlockResult> results = stackalloc BlockResult[1];
        while (queue.Poll(results) == 0)
        {
            Thread.SpinWait(1);
        }

        return results[0].Status;
    }
}
