using System.IO.Compression;
using System.Xml.Linq;

namespace Arrakis.Packaging.Tests;

/// <summary>A package opened for reading.</summary>
internal sealed class PackageFile(string path) : IDisposable
{
    private readonly ZipArchive _archive = ZipFile.OpenRead(path);

    internal IEnumerable<string> Entries => _archive.Entries.Select(static entry => entry.FullName);

    /// <summary>The metadata element of the nuspec.</summary>
    internal XElement Metadata
    {
        get
        {
            using Stream stream = _archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
            return XDocument.Load(stream).Root!.Elements().Single();
        }
    }

    internal byte[] Read(string entry)
    {
        using Stream stream = _archive.GetEntry(entry)!.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    public void Dispose() => _archive.Dispose();
}
