using System.Text.RegularExpressions;

namespace Arrakis.Packaging.Tests;

/// <summary>A console project as a new user makes it, that gets the packages from a local feed.</summary>
internal sealed partial class ConsoleProject : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-readme-").FullName;

    /// <summary>The built program.</summary>
    internal string Program => Path.Combine(_folder, "bin", "Release", "net10.0", "Example");

    /// <summary>The first C# example of README.md, as it stands there.</summary>
    internal static string ReadmeExample() =>
        FirstExample().Match(File.ReadAllText(Path.Combine(Checkout.Root, "README.md"))).Groups[1].Value;

    internal static async Task<ConsoleProject> BuildAsync(string code, string feed)
    {
        var project = new ConsoleProject();
        await project.WriteAsync("nuget.config", $"""
            <configuration>
              <config>
                <add key="globalPackagesFolder" value="{project._folder}/packages" />
              </config>
              <fallbackPackageFolders>
                <add key="machine" value="{MachinePackages()}" />
              </fallbackPackageFolders>
              <packageSources>
                <clear />
                <add key="local" value="{feed}" />
                <add key="nuget.org" value="https://api.nuget.org/v3/index.json" />
              </packageSources>
              <packageSourceMapping>
                <packageSource key="local"><package pattern="Arrakis.*" /></packageSource>
                <packageSource key="nuget.org"><package pattern="*" /></packageSource>
              </packageSourceMapping>
            </configuration>
            """);
        await project.RunAsync("new", "console", "--name", "Example", "--output", ".", "--no-restore");
        await project.RunAsync("add", "package", "Arrakis.DataPlane");
        await project.WriteAsync("Program.cs", code);
        await project.RunAsync("build", "-c", "Release", "-v", "q");
        return project;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string MachinePackages() =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private Task WriteAsync(string file, string text) => File.WriteAllTextAsync(Path.Combine(_folder, file), text, TestContext.Current.CancellationToken);

    private Task<string> RunAsync(params string[] arguments) => Tool.RunAsync(_folder, Checkout.BuildEnvironment, "dotnet", arguments);

    [GeneratedRegex(@"^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FirstExample();
}
