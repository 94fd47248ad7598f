using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

public sealed partial class UnsafeCodeTests
{
    private static readonly string[] s_rooms =
    [
        "src/Arrakis.Native/",
        "src/Arrakis.DataPlane/Memory/",
        "src/Arrakis.DataPlane/Rings/",
        "src/Arrakis.SoftDevice/Memory/",
        "src/Arrakis.SoftDevice/Rings/",
        "src/Arrakis.SoftDevice/Vhost/",
        "tests/", // Tests play the hostile side.
    ];

    [Fact]
    public void Unsafe_code_stays_in_its_rooms()
    {
        string[] offenders =
        [
            .. Repository.CSharpFiles
                .Where(static file => !s_rooms.Any(room => file.StartsWith(room, StringComparison.Ordinal)))
                .Where(static file => UnsafeCode().IsMatch(Repository.ReadCode(file))),
        ];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Only_projects_with_such_a_room_may_compile_unsafe_code()
    {
        string[] allowed = ["Arrakis.DataPlane", "Arrakis.Native", "Arrakis.SoftDevice"];
        IEnumerable<string> found = Project.All
            .Where(static project => project.Path.StartsWith("src/", StringComparison.Ordinal) || project.Path.StartsWith("samples/", StringComparison.Ordinal))
            .Where(static project => Repository.Read(project.Path).Contains("AllowUnsafeBlocks", StringComparison.Ordinal))
            .Select(static project => project.Name)
            .Order();

        Assert.Equal(allowed, found);
    }

    [GeneratedRegex(@"\bunsafe\b|\bUnsafe\.|\bNativeMemory\b")]
    private static partial Regex UnsafeCode();
}
