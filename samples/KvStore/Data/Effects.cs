using System.Buffers;
using System.Buffers.Binary;

namespace Arrakis.Samples.KvStore.Data;

/// <summary>
/// Changes, as a record of the log has them: one after the other, each a kind and its fields, lengths in 32 bits. They say what came of a
/// command and not the command, so that doing them again gives the same.
/// </summary>
internal static class Effects
{
    /// <summary>Bytes that the change of a key needs beside key and value.</summary>
    public const int Overhead = 1 + 3 * sizeof(long);

    private const byte SetKind = 1;
    private const byte RemoveKind = 2;
    private const byte ClearKind = 3;
    private const byte AppendKind = 4;
    private const byte ExpireKind = 5;

    public static void Set(IBufferWriter<byte> record, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long expiresAt)
    {
        record.Write([SetKind]);
        Number(record, expiresAt);
        Bytes(record, key);
        Bytes(record, value);
    }

    public static void Remove(IBufferWriter<byte> record, ReadOnlySpan<byte> key)
    {
        record.Write([RemoveKind]);
        Bytes(record, key);
    }

    public static void Clear(IBufferWriter<byte> record) => record.Write([ClearKind]);

    public static void Append(IBufferWriter<byte> record, ReadOnlySpan<byte> key, ReadOnlySpan<byte> more)
    {
        record.Write([AppendKind]);
        Bytes(record, key);
        Bytes(record, more);
    }

    public static void Expire(IBufferWriter<byte> record, ReadOnlySpan<byte> key, long expiresAt)
    {
        record.Write([ExpireKind]);
        Number(record, expiresAt);
        Bytes(record, key);
    }

    /// <summary>Does a record's changes.</summary>
    /// <exception cref="InvalidDataException">It is not of this store.</exception>
    public static void Replay(ReadOnlySpan<byte> record, Database database)
    {
        while (!record.IsEmpty)
        {
            byte kind = record[0];
            record = record[1..];
            long expiresAt = kind is SetKind or ExpireKind ? TakeNumber(ref record) : 0;
            ReadOnlySpan<byte> key = kind is ClearKind ? default : TakeBytes(ref record);
            switch (kind)
            {
                case SetKind:
                    _ = database.Set(key, TakeBytes(ref record), expiresAt);
                    break;
                case RemoveKind:
                    _ = database.Remove(key);
                    break;
                case ClearKind:
                    database.Clear();
                    break;
                case AppendKind:
                    _ = database.Append(key, TakeBytes(ref record));
                    break;
                case ExpireKind:
                    if (database.Find(key) is { } entry)
                    {
                        entry.ExpiresAt = expiresAt;
                    }

                    break;
                default:
                    throw new InvalidDataException($"The log has a change of kind {kind}: it is another program's, or a later version's.");
            }
        }
    }

    private static void Number(IBufferWriter<byte> record, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(record.GetSpan(sizeof(long)), value);
        record.Advance(sizeof(long));
    }

    private static void Bytes(IBufferWriter<byte> record, ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(record.GetSpan(sizeof(int)), bytes.Length);
        record.Advance(sizeof(int));
        record.Write(bytes);
    }

    private static long TakeNumber(ref ReadOnlySpan<byte> record)
    {
        if (!BinaryPrimitives.TryReadInt64LittleEndian(record, out long value))
        {
            throw new InvalidDataException("A change in the log ends early.");
        }

        record = record[sizeof(long)..];
        return value;
    }

    private static ReadOnlySpan<byte> TakeBytes(ref ReadOnlySpan<byte> record)
    {
        if (!BinaryPrimitives.TryReadInt32LittleEndian(record, out int length) || length < 0 || length > record.Length - sizeof(int))
        {
            throw new InvalidDataException("A change in the log ends early.");
        }

        ReadOnlySpan<byte> bytes = record.Slice(sizeof(int), length);
        record = record[(sizeof(int) + length)..];
        return bytes;
    }
}
