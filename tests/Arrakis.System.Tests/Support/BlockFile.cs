namespace Arrakis.SystemTests.Support;

/// <summary>A file for the storage areas of a daemon under test, which starts with other content than zeros.</summary>
internal sealed class BlockFile : IDisposable
{
    internal const byte Rubbish = 0xEE;

    /// <summary>Makes it in a folder.</summary>
    internal BlockFile(string folder, long length)
    {
        Path = System.IO.Path.Combine(folder, $"arrakis-blocks-{Guid.NewGuid():N}");
        byte[] rubbish = new byte[1 << 20];
        rubbish.AsSpan().Fill(Rubbish);
        using FileStream file = File.Create(Path);
        for (long at = 0; at < length; at += rubbish.Length)
        {
            file.Write(rubbish);
        }
    }

    internal string Path { get; }

    /// <summary>How many bytes of it are of that value.</summary>
    internal long Count(byte value) => File.ReadAllBytes(Path).LongCount(found => found == value);

    public void Dispose() => File.Delete(Path);
}
