using System.Reflection.Metadata;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace Arrakis.Packaging.Tests;

public sealed class PackageTests(PackedCopy packed)
{
    private const string Version = "0.1.0";
    private static readonly Guid s_sourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A"); // Portable PDB, custom debug information

    public static TheoryData<string> Ids => ["Arrakis.Wire", "Arrakis.Contract", "Arrakis.Native", "Arrakis.DataPlane"];

    [Fact]
    public void There_is_a_package_and_its_symbols_for_each_library_and_nothing_else()
    {
        IEnumerable<string> expected = Ids.SelectMany(static id => new[] { $"{id.Data}.{Version}.nupkg", $"{id.Data}.{Version}.snupkg" });

        Assert.Equal(expected.Order(), Directory.GetFiles(packed.Packages).Select(static file => Path.GetFileName(file)).Order());
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_package_has_its_assembly_documentation_readme_and_license(string id)
    {
        using PackageFile package = Open(id, "nupkg");

        Assert.Contains($"lib/net10.0/{id}.dll", package.Entries);
        Assert.Contains("LICENSE", package.Entries);
        Assert.Equal(File.ReadAllText(Path.Combine(Checkout.Root, "README.md")), Encoding.UTF8.GetString(package.Read("README.md")));
        var documentation = XDocument.Parse(Encoding.UTF8.GetString(package.Read($"lib/net10.0/{id}.xml")));
        Assert.NotEmpty(documentation.Descendants("member"));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_package_says_what_it_is_and_where_its_source_is(string id)
    {
        using PackageFile package = Open(id, "nupkg");
        XElement metadata = package.Metadata;
        string? Text(string name) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;

        Assert.Equal(id, Text("id"));
        Assert.Equal("MIT", Text("license"));
        Assert.Equal("README.md", Text("readme"));
        Assert.NotEqual("Package Description", Text("description"));
        XElement repository = metadata.Elements().Single(static element => element.Name.LocalName == "repository");
        Assert.Equal("git", repository.Attribute("type")!.Value);
        Assert.StartsWith(PackedCopy.Remote, repository.Attribute("url")!.Value, StringComparison.Ordinal);
        Assert.Equal(packed.Commit, repository.Attribute("commit")!.Value);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Symbols_lead_to_the_source_of_the_commit(string id)
    {
        using PackageFile symbols = Open(id, "snupkg");
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(symbols.Read($"lib/net10.0/{id}.pdb")));
        MetadataReader reader = provider.GetMetadataReader();
        BlobHandle link = reader.CustomDebugInformation
            .Select(reader.GetCustomDebugInformation)
            .Single(information => reader.GetGuid(information.Kind) == s_sourceLink)
            .Value;
        using var json = JsonDocument.Parse(reader.GetBlobBytes(link));
        (string prefix, string? target) = json.RootElement.GetProperty("documents").EnumerateObject().Select(static entry => (entry.Name.TrimEnd('*'), entry.Value.GetString())).First();

        Assert.Equal($"https://raw.githubusercontent.com/example/arrakis/{packed.Commit}/*", target);
        Assert.All(
            reader.Documents.Select(document => reader.GetString(reader.GetDocument(document).Name)),
            document => Assert.StartsWith(prefix, document, StringComparison.Ordinal));
    }

    [Fact]
    public void The_native_package_has_the_shim_and_it_loads()
    {
        using PackageFile package = Open("Arrakis.Native", "nupkg");
        string file = Path.Combine(packed.Source, "shim.so");
        File.WriteAllBytes(file, package.Read("runtimes/linux-x64/native/libarrakis_native.so"));

        nint library = NativeLibrary.Load(file);

        Assert.NotEqual(0, NativeLibrary.GetExport(library, "arrakis_sigbus_install"));
        NativeLibrary.Free(library);
    }

    private PackageFile Open(string id, string extension) => new(Path.Combine(packed.Packages, $"{id}.{Version}.{extension}"));
}
