using System.Buffers.Binary;
using Arrakis.DataPlane.Storage;
using Arrakis.DataPlane.Tests.Storage;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// Opening and reading a log on an area that somebody else has written. The input changes an image of a log: whole blocks are damaged, moved
/// and swapped, and numbers in headers are changed and the checksums made right again.
/// </summary>
internal sealed class LogImageTarget : FuzzTarget
{
    private const int BlockSize = 512;
    private const int Blocks = 24;
    private const int HeaderBytes = 96;

    private readonly byte[] _image;
    private readonly HashSet<string> _records = [];
    private readonly BlockBufferPool _buffers = BlockBufferPool.Allocate(8, 2 * BlockSize);

    public LogImageTarget()
    {
        var area = new MemoryArea(new byte[Blocks * BlockSize], BlockSize, BlockBufferPool.Allocate(8, 2 * BlockSize));
        PersistentLog log = Now(PersistentLog.CreateAsync(area));
        List<LogPosition> positions = [];
        for (int i = 0; i < 40; i++)
        {
            byte[] record = [.. Enumerable.Range(0, i * 37 % 900).Select(at => (byte)(at * 7 + i))];
            if (!log.HasRoomFor(record.Length))
            {
                Now(log.TrimAsync(positions[^3]));
            }

            positions.Add(Now(log.AppendAsync(record)));
            _ = _records.Add(Convert.ToHexString(record));
        }

        _image = (byte[])area.Content.Clone(); // As after a crash: nobody closed it.
    }

    public override string Name => "log-image";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [],
        [0, 3, 1, 2, 3],
        [1, 4, 0, 9],
        [2, 5, 6, 7, 1, 8],
        [3, 2, 40, 0, 200, 4, 1, 44, 1, 3, 5],
        [4, 9, 0, 0, 0, 0, 1, 3, 7, 16, 0, 255, 3, 2, 8, 0, 1],
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte[] image = (byte[])_image.Clone();
        bool isForged = false;
        var reader = new InputReader(input);
        for (int step = 0; step < 32 && !reader.IsEmpty; step++)
        {
            isForged |= Change(image, ref reader);
        }

        var area = new MemoryArea(image, BlockSize, _buffers);
        int free = _buffers.FreeCount;
        PersistentLog? log = null;
        try
        {
            log = Now(PersistentLog.OpenOrCreateAsync(area));
            int count = 0;
            long last = -1;
            Now(ReadAsync());
            Promise(isForged || count == log.Recovery.Records, "what is read is what opening has counted");
            if (log.HasRoomFor(3))
            {
                Promise(Now(log.AppendAsync(new byte[] { 1, 2, 3 })).Value > last, "an append is after all records");
            }

            async ValueTask ReadAsync()
            {
                await foreach (LogRecord record in log.ReadAsync())
                {
                    Promise(record.Position.Value > last, "positions grow");
                    Promise(isForged || _records.Contains(Convert.ToHexString(record.Data.Span)), "no record is invented");
                    last = record.Position.Value;
                    count++;
                }
            }
        }
        catch (DataCorruptException e)
        {
            Promise(e.Block is >= 0 and < Blocks && e.Reason.Length > 0, "damage is described, and has an address");
        }
        finally
        {
            if (log is not null)
            {
                Now(log.DisposeAsync());
            }
        }

        Promise(_buffers.FreeCount == free, "no buffer is lost");
    }

    // True where checksums were made right: then anything may be in a record.
    private static bool Change(byte[] image, ref InputReader reader)
    {
        int kind = reader.Byte() % 5;
        Span<byte> block = image.AsSpan(reader.Byte() % Blocks * BlockSize, BlockSize);
        switch (kind)
        {
            case 0:
                block[reader.Short() % BlockSize] ^= (byte)Math.Max((byte)1, reader.Byte());
                return false;
            case 1:
                block.CopyTo(image.AsSpan(reader.Byte() % Blocks * BlockSize));
                return false;
            case 2:
                block.Clear();
                return false;
            case 3:
                reader.Bytes(8).CopyTo(block[(reader.Short() % (BlockSize - 8))..]);
                break;
            default:
                BinaryPrimitives.WriteUInt64LittleEndian(block[(8 + reader.Byte() % 10 * 4)..], reader.Long());
                break;
        }

        int used = BinaryPrimitives.ReadInt32LittleEndian(block[40..]);
        bool isHeader = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]) == 0x31484C41;
        int covered = isHeader ? HeaderBytes : Math.Clamp(used, 5, BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(block, Crc32C.Of(block[4..covered]));
        return true;
    }

    private static T Now<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();

    private static void Now(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
