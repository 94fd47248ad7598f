using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Arrakis.Samples.KvStore.Commands;
using Arrakis.Samples.KvStore.Data;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore;

/// <summary>
/// A client. The commands that came together are run together, and their replies are sent when their changes, and all that they have seen,
/// are durable: so the appends of all connections go out in groups.
/// </summary>
internal static class Connection
{
    private const int MaxReplies = 1 << 20; // Bytes of replies after which those are sent first.

    /// <summary>Serves until the client or the server ends it.</summary>
    public static async Task ServeAsync(long id, Socket socket, DurableStore store, CancellationToken cancellation)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        PipeReader input = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));
        PipeWriter output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        try
        {
            var session = new Session(id, store, output);
            var parser = new RespParser(store.MaxCommandLength);
            while (!session.IsEnding)
            {
                ReadResult read = await input.ReadAsync(cancellation);
                await store.RoomAsync();
                ReadOnlySequence<byte> bytes = read.Buffer;
                bool isMore = Run(session, parser, ref bytes, output);
                input.AdvanceTo(bytes.Start);
                await session.CommitAsync();
                FlushResult flushed = await output.FlushAsync(cancellation);
                if (flushed.IsCompleted || (read.IsCompleted && !isMore))
                {
                    break;
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The client is gone, or the server is going.
        }
        finally
        {
            await input.CompleteAsync();
            try
            {
                // Not what has not been flushed: that may not be durable.
                output.CancelPendingFlush();
            }
            finally
            {
                socket.Close();
            }
        }
    }

    // True where bytes are left: the transaction is large enough.
    private static bool Run(Session session, RespParser parser, ref ReadOnlySequence<byte> bytes, PipeWriter output)
    {
        while (!session.IsEnding)
        {
            if (output.UnflushedBytes >= MaxReplies || session.EffectsLength >= session.Store.MaxCommandLength)
            {
                return !bytes.IsEmpty;
            }

            switch (parser.Take(ref bytes))
            {
                case RespResult.Incomplete:
                    return false;
                case RespResult.Command:
                    CommandTable.Run(session, parser.Command);
                    break;
                default:
                    session.Reply.Error($"ERR Protocol error: {parser.Error}");
                    session.IsEnding = true;
                    break;
            }
        }

        return false;
    }
}
