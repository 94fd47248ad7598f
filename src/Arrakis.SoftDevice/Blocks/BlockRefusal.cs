namespace Arrakis.SoftDevice.Blocks;

/// <summary>Why a request was refused.</summary>
internal enum BlockRefusal
{
    /// <summary>It was not.</summary>
    None,

    /// <summary>The function shows no area.</summary>
    NoArea,

    /// <summary>A block that it names is not in the area.</summary>
    OutsideArea,

    /// <summary>It changes blocks, and the area is read-only.</summary>
    ReadOnly,

    /// <summary>What it names is empty, or no whole blocks.</summary>
    NotWholeBlocks,

    /// <summary>It names more bytes than one request may.</summary>
    TooLong,

    /// <summary>It has not one segment, or too little room for the answer.</summary>
    Malformed,

    /// <summary>Its type, or a flag of it, was not offered.</summary>
    Unsupported,
}

/// <summary>Names of the reasons in counters.</summary>
internal static class BlockRefusals
{
    /// <summary>How many there are, <see cref="BlockRefusal.None"/> included.</summary>
    public static int Count { get; } = Enum.GetValues<BlockRefusal>().Length;

    /// <summary>Lower case with hyphens.</summary>
    public static string Name(BlockRefusal refusal) => refusal switch
    {
        BlockRefusal.NoArea => "no-area",
        BlockRefusal.OutsideArea => "outside-area",
        BlockRefusal.ReadOnly => "read-only",
        BlockRefusal.NotWholeBlocks => "not-whole-blocks",
        BlockRefusal.TooLong => "too-long",
        BlockRefusal.Malformed => "malformed",
        BlockRefusal.Unsupported => "unsupported",
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, null),
    };
}
