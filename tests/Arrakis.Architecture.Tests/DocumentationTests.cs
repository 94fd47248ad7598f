using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

public sealed partial class DocumentationTests
{
    private static IEnumerable<string> Pages => Repository.Files.Where(static file => file.EndsWith(".md", StringComparison.Ordinal));

    [Fact]
    public void Every_link_of_every_page_resolves()
    {
        Assert.Empty(Pages.SelectMany(static page => Link().Matches(Repository.Read(page)).Select(match => (page, target: match.Groups[1].Value)))
            .Where(static link => !link.target.Contains("://", StringComparison.Ordinal) && !Resolves(link.page, link.target))
            .Select(static link => $"{link.page}: {link.target}"));
    }

    [Fact]
    public void Every_command_in_a_page_exists()
    {
        string[] targets = [.. MakeTarget().Matches(Repository.Read("Makefile")).Select(static match => match.Groups[1].Value)];
        Assert.Empty(Pages.SelectMany(static page => Commands(page).Select(command => (page, command)))
            .Where(entry => !Exists(entry.page, entry.command, targets))
            .Select(static entry => $"{entry.page}: {entry.command}"));
    }

    [Fact]
    public void Every_script_is_executable_and_well_formed()
    {
        foreach (string script in Repository.Files.Where(static file => (file.StartsWith("scripts/", StringComparison.Ordinal) && !file.EndsWith(".config", StringComparison.Ordinal)) || file == ".ci/run"))
        {
            string path = Path.Combine(Repository.Root, script);
            bool isSourced = script.EndsWith(".sh", StringComparison.Ordinal);
            Assert.True(isSourced || File.GetUnixFileMode(path).HasFlag(UnixFileMode.UserExecute), $"{script} is not executable.");
            Assert.Equal((0, ""), Run("bash", "-n", path));
        }
    }

    // The commands of a page's shell blocks, without their comments and continued lines joined.
    private static IEnumerable<string> Commands(string page) =>
        ShellBlock().Matches(Repository.Read(page))
            .SelectMany(static block => block.Groups[1].Value.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
            .SelectMany(static line => Comment().Replace(line, "").Split("&&"))
            .Select(static command => command.Trim())
            .Where(static command => command.Length > 0);

    private static bool Exists(string page, string command, string[] targets)
    {
        string[] words = [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries).SkipWhile(static word => word == "sudo" || word.Contains('=', StringComparison.Ordinal))];
        return words switch
        {
            ["make", .. var goals] => goals.All(goal => targets.Contains(goal) || goal.Contains('=', StringComparison.Ordinal)),
            ["arrakisctl", "completion", ..] => true, // Tests source its output in each shell.
            ["arrakisctl", "area", var name, .. var rest] => HasOptions(Built("Arrakis.Ctl", "arrakisctl"), ["area", name, "--help"], rest),
            ["arrakisctl", var name, .. var rest] => HasOptions(Built("Arrakis.Ctl", "arrakisctl"), [name, "--help"], rest),
            ["/usr/lib/arrakis/arrakisd", .. var rest] => HasOptions(Built("Arrakis.ControlPlane", "arrakisd"), ["--help"], rest),
            ["/usr/lib/arrakis/arrakis-softdevice", .. var rest] => HasOptions(Built("Arrakis.SoftDevice", "arrakis-softdevice"), ["--help"], rest),
            ["source", "<(arrakisctl", "completion", ..] => true,
            ["dotnet", "run" or "publish", .. var rest] => rest.Any(word => Repository.Files.Contains($"{word}/{Path.GetFileName(word)}.csproj")),
            ["dotnet", "add", "package", var package, ..] => Project.All.Any(project => project.Name == package),
            ["dotnet", "tool", "install", ..] => true,
            ["git" or "cd" or "systemctl" or "systemd-sysusers" or "sysctl" or "usermod" or "journalctl" or "ip" or "ping" or "kill" or "install", ..] => true,
            [var script, ..] when script.StartsWith("scripts/", StringComparison.Ordinal) => Repository.Files.Contains(script),
            [var file, ..] when file.StartsWith("artifacts/", StringComparison.Ordinal) => IsMade(page, file),
            [var tool, ..] => IsInstalledBy(page, tool),
            _ => false,
        };
    }

    // Whether a program's help speaks of each option.
    private static bool HasOptions(string program, string[] help, string[] words)
    {
        (int code, string text) = Run(program, help);
        return code == 0 && words.Where(static word => word.StartsWith("--", StringComparison.Ordinal)).All(option => text.Contains(option, StringComparison.Ordinal));
    }

    // A file of the build, or of the folder that a command of the same page publishes a project to.
    private static bool IsMade(string page, string file) =>
        File.Exists(Path.Combine(Repository.Root, file))
        || Commands(page).Any(command =>
            Publish().Match(command) is { Success: true } publish
            && Path.GetDirectoryName(file) == publish.Groups["folder"].Value
            && File.Exists(Built(Path.GetFileName(publish.Groups["project"].Value), Path.GetFileName(file))));

    // A tool of others, which the page has installed or links to.
    private static bool IsInstalledBy(string page, string tool) =>
        Commands(page).Any(command => ToolInstall().Match(command) is { Success: true } install && install.Groups[1].Value.StartsWith($"{tool}.", StringComparison.OrdinalIgnoreCase))
        || ExternalLink().Matches(Repository.Read(page)).Any(link => link.Groups[1].Value == tool);

    private static bool Resolves(string page, string target)
    {
        string[] parts = target.Split('#', 2);
        string file = parts[0].Length == 0 ? page : Path.GetRelativePath(Repository.Root, Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, parts[0]));
        if (!File.Exists(Path.Combine(Repository.Root, file)) && !Directory.Exists(Path.Combine(Repository.Root, file)))
        {
            return false;
        }

        return parts.Length == 1 || Heading().Matches(Repository.Read(file)).Any(match => Anchor(match.Groups[1].Value) == parts[1]);
    }

    private static string Anchor(string heading) =>
        NotInAnchor().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    private static string Built(string project, string program) =>
        Path.Combine(Repository.Root, "artifacts", "build", "bin", project, Repository.Configuration, program);

    private static (int Code, string Text) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        return (process.ExitCode, text);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^([a-z][a-z-]*):", RegexOptions.Multiline)]
    private static partial Regex MakeTarget();

    [GeneratedRegex(@"^```(?:sh|bash|shell|console)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex(@"^dotnet publish (?<project>\S+) .*-o (?<folder>\S+)$")]
    private static partial Regex Publish();

    [GeneratedRegex(@"^dotnet tool install --global (\S+)$")]
    private static partial Regex ToolInstall();

    [GeneratedRegex(@"\[([\w-]+)\]\(https://")]
    private static partial Regex ExternalLink();

    [GeneratedRegex(@"(^|\s)#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();
}
