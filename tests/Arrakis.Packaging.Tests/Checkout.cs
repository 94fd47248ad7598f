namespace Arrakis.Packaging.Tests;

/// <summary>The project as it is on this machine, and copies of it.</summary>
internal static class Checkout
{
    internal static string Root { get; } = FindRoot();

    /// <summary>Release or Debug, as this test was built; the programs beside it were built alike.</summary>
    internal static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Name;

    /// <summary>What every build of a test runs with: no build server outlives it.</summary>
    internal static IReadOnlyDictionary<string, string> BuildEnvironment { get; } = new Dictionary<string, string>
    {
        ["DOTNET_NOLOGO"] = "1",
        ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
        ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
        ["MSBUILDDISABLENODEREUSE"] = "1",
        ["UseSharedCompilation"] = "false",
        ["MAKEFLAGS"] = "",
    };

    internal static string Program(string project, string name) => Path.Combine(Root, "artifacts", "build", "bin", project, Configuration, name);

    /// <summary>Copies every file that belongs to the project, as it is now, into a repository of its own.</summary>
    internal static async Task CopyAsync(string target, string remote)
    {
        string files = await GitAsync(Root, "ls-files", "--cached", "--others", "--exclude-standard");
        foreach (string file in files.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static file => File.Exists(Path.Combine(Root, file))))
        {
            string copy = Path.Combine(target, file);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(Path.Combine(Root, file), copy);
        }

        await GitAsync(target, "init", "--quiet", "--initial-branch=main");
        await GitAsync(target, "add", "--all");
        await GitAsync(target, "-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "--quiet", "--message=Copy");
        await GitAsync(target, "remote", "add", "origin", remote);
    }

    internal static Task<string> GitAsync(string folder, params string[] arguments) =>
        Tool.RunAsync(folder, BuildEnvironment, "git", ["-c", $"safe.directory={folder}", .. arguments]);

    private static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Arrakis.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} has Arrakis.sln.");
    }
}
