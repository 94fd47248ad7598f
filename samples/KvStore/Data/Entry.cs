namespace Arrakis.Samples.KvStore.Data;

/// <summary>A key and what it has.</summary>
internal sealed class Entry(byte[] key)
{
    public byte[] Key => key;

    public byte[] Value { get; set; } = [];

    /// <summary>When it ends, in milliseconds of Unix time; 0 for never.</summary>
    public long ExpiresAt { get; set; }

    /// <summary>The commit that changed it last.</summary>
    public long Commit { get; set; }

    public bool IsExpired(long now) => ExpiresAt != 0 && ExpiresAt <= now;

    /// <summary>Bytes that it takes in the log, about.</summary>
    public long Weight => key.Length + Value.Length + Effects.Overhead;
}
