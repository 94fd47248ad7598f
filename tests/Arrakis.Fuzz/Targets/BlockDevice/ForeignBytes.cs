namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>
/// Values that only memory and blocks have which are not the hostile driver's: where several in a row turn up with it, they were carried
/// there. No input has them.
/// </summary>
internal static class ForeignBytes
{
    /// <summary>The lowest.</summary>
    public const byte First = 0xB0;

    /// <summary>How many there are.</summary>
    public const int Count = 0x20;

    private const byte Last = First + Count - 1;
    private const int Run = 8; // A length, or an index, may have some by chance.

    /// <summary>One of them for a place, a different one for those around it.</summary>
    public static byte At(int place, int salt = 0) => (byte)(First + (uint)((place * 7) ^ (place >> 8) ^ (salt * 11)) % Count);

    /// <summary>Takes them out of an input.</summary>
    public static byte[] Without(ReadOnlySpan<byte> input)
    {
        byte[] clean = input.ToArray();
        foreach (ref byte value in clean.AsSpan())
        {
            value = value is >= First and <= Last ? (byte)(value ^ 0x80) : value;
        }

        return clean;
    }

    /// <summary>Whether bytes were carried to a place where only the hostile driver's may be.</summary>
    public static bool AreIn(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOfAnyInRange(First, Last) is >= 0 and var at)
        {
            bytes = bytes[at..];
            int length = bytes.IndexOfAnyExceptInRange(First, Last);
            if ((length < 0 ? bytes.Length : length) >= Run)
            {
                return true;
            }

            bytes = length < 0 ? [] : bytes[length..];
        }

        return false;
    }
}
