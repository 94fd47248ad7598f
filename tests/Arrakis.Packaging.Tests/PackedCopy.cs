[assembly: AssemblyFixture(typeof(Arrakis.Packaging.Tests.PackedCopy))]

namespace Arrakis.Packaging.Tests;

/// <summary>A copy of the project in which `make pack` has run, once for all tests; its remote is a host that Source Link knows.</summary>
public sealed class PackedCopy : IAsyncLifetime
{
    internal const string Remote = "https://github.com/example/arrakis";
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-pack-").FullName;

    internal string Source => Path.Combine(_folder, "source");

    internal string Packages => Path.Combine(Source, "artifacts", "packages");

    internal string Commit { get; private set; } = "";

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Source);
        await Checkout.CopyAsync(Source, Remote + ".git");
        Commit = (await Checkout.GitAsync(Source, "rev-parse", "HEAD")).Trim();
        await Tool.RunAsync(Source, Checkout.BuildEnvironment, "make", "pack");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
