using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>The four ways in which requests lie in a ring.</summary>
internal static class BlockFormats
{
    public static TheoryData<RingFormat, bool> All => new()
    {
        { RingFormat.Split, false },
        { RingFormat.Split, true },
        { RingFormat.Packed, false },
        { RingFormat.Packed, true },
    };

    public static MemoryBlockOptions Options(RingFormat format, bool indirect) => new() { Format = format, IsIndirect = indirect };

    /// <summary>Serves and polls, on this thread, until a request has ended.</summary>
    public static void Run(MemoryBlockDevice device, BlockQueue queue, ValueTask request)
    {
        for (int i = 0; !request.IsCompleted; i++)
        {
            Assert.True(i < 1000, "the request does not end");
            _ = queue.Poll();
            _ = device.Poll();
        }

        request.GetAwaiter().GetResult();
    }

    /// <summary>A buffer whose bytes all are one value.</summary>
    public static BlockBuffer Filled(BlockQueue queue, byte value)
    {
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        buffer.Span.Fill(value);
        return buffer;
    }
}
