using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

public sealed partial class SourceTextTests
{
    private const int MaxLines = 600;

    [Fact]
    public void No_source_file_is_longer_than_600_lines()
    {
        string[] suffixes = [".cs", ".c", ".h", ".sh", ".targets"];
        string[] offenders =
        [
            .. Repository.Files
                .Where(file => suffixes.Contains(Path.GetExtension(file)) || file.StartsWith("scripts/", StringComparison.Ordinal))
                .Select(static file => (File: file, Lines: Repository.Read(file).Count(static character => character == '\n')))
                .Where(static entry => entry.Lines > MaxLines)
                .Select(static entry => $"{entry.File}: {entry.Lines}"),
        ];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Nothing_is_marked_as_unfinished()
    {
        string[] offenders = [.. Repository.Files.Where(static file => file != "tests/Arrakis.Architecture.Tests/SourceTextTests.cs" && Unfinished().IsMatch(Repository.Read(file)))];

        Assert.Empty(offenders);
    }

    [Fact]
    public void No_test_skips_itself()
    {
        string[] offenders = [.. Repository.CSharpFiles.Where(static file => file.StartsWith("tests/", StringComparison.Ordinal) && Skipped().IsMatch(Repository.ReadCode(file)))];

        Assert.Empty(offenders);
    }

    [Fact]
    public void No_library_hides_missing_documentation()
    {
        string[] offenders = [.. Repository.Files.Where(static file => file.StartsWith("src/", StringComparison.Ordinal) && Repository.Read(file).Contains("CS1591", StringComparison.Ordinal))];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Every_file_is_lf_terminated_text()
    {
        string[] offenders = [.. Repository.Files.Where(static file => Repository.Read(file) is var text && (text.Contains('\r', StringComparison.Ordinal) || (text.Length > 0 && text[^1] != '\n')))];

        Assert.Empty(offenders);
    }

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|\bNotImplementedException\b")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"\bSkip\s*=|\bAssert\.Skip|\bSkip(Unless|When|Exception)\b")]
    private static partial Regex Skipped();
}
