using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

/// <summary>The files that belong to the project.</summary>
internal static partial class Repository
{
    internal static string Root { get; } = FindRoot();

    /// <summary>Release or Debug, as this test was built; the projects beside it were built alike.</summary>
    internal static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Name;

    /// <summary>Paths from the root, of files that git knows and that are not deleted.</summary>
    internal static IReadOnlyList<string> Files { get; } = [.. Git("ls-files", "--cached", "--others", "--exclude-standard").Where(static file => File.Exists(Path.Combine(Root, file)))];

    internal static IEnumerable<string> CSharpFiles => Files.Where(static file => file.EndsWith(".cs", StringComparison.Ordinal));

    internal static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    /// <summary>C# without comments and without what is between quotes.</summary>
    internal static string ReadCode(string file) => CommentsAndStrings().Replace(Read(file), "\"\"");

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

    private static string[] Git(params string[] arguments)
    {
        // The checkout may belong to another user than the one who tests.
        var start = new ProcessStartInfo("git", ["-c", $"safe.directory={Root}", .. arguments]) { WorkingDirectory = Root, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|\"{3,}.*?\"{3,}|@"(?:[^"]|"")*"|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'""", RegexOptions.Singleline)]
    private static partial Regex CommentsAndStrings();
}
