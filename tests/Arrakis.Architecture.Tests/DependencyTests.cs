using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

public sealed partial class DependencyTests
{
    [Theory]
    [InlineData("Arrakis.Wire", "", "")]
    [InlineData("Arrakis.Contract", "Arrakis.Wire", "")]
    [InlineData("Arrakis.Native", "", "Tmds.LibC")]
    [InlineData("Arrakis.DataPlane", "Arrakis.Contract Arrakis.Native Arrakis.Wire", "")]
    [InlineData("Arrakis.ControlPlane", "Arrakis.Contract Arrakis.Native Arrakis.Wire", "Microsoft.Extensions.* System.CommandLine")]
    [InlineData("Arrakis.SoftDevice", "Arrakis.Contract Arrakis.Native Arrakis.Wire", "HdrHistogram Microsoft.Extensions.Logging.Console System.CommandLine")]
    [InlineData("Arrakis.Ctl", "Arrakis.DataPlane", "HdrHistogram Spectre.Console System.CommandLine")]
    public void A_project_names_only_these(string name, string projects, string packages)
    {
        Project project = Project.Named(name);

        Assert.Empty(project.Projects.Except(Words(projects)));
        Assert.All(project.Packages, package => Assert.Contains(Words(packages), allowed => Matches(package, allowed)));
    }

    [Theory]
    [InlineData("Arrakis.Wire", "")]
    [InlineData("Arrakis.Contract", "Arrakis.Wire")]
    [InlineData("Arrakis.Native", "")]
    [InlineData("Arrakis.DataPlane", "Arrakis.Contract Arrakis.Native Arrakis.Wire")]
    [InlineData("Arrakis.ControlPlane", "Arrakis.Contract Arrakis.Native Arrakis.Wire")]
    [InlineData("Arrakis.SoftDevice", "Arrakis.Contract Arrakis.Native Arrakis.Wire")]
    [InlineData("Arrakis.Ctl", "Arrakis.Contract Arrakis.DataPlane Arrakis.Native Arrakis.Wire")]
    public void A_compiled_assembly_knows_only_these_of_the_others(string name, string allowed)
    {
        using FileStream file = File.OpenRead(Project.Named(name).AssemblyPath);
        using var portable = new PEReader(file);
        MetadataReader metadata = portable.GetMetadataReader();
        IEnumerable<string> references = metadata.AssemblyReferences
            .Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))
            .Where(static reference => reference.StartsWith("arrakis", StringComparison.OrdinalIgnoreCase));

        Assert.Empty(references.Except(Words(allowed)));
    }

    [Fact]
    public void Samples_use_the_public_library_only()
    {
        Assert.All(
            Project.All.Where(static project => project.Path.StartsWith("samples/", StringComparison.Ordinal)),
            static project =>
            {
                Assert.Empty(project.Projects.Except(["Arrakis.DataPlane"]));
                Assert.DoesNotContain($"\"{project.AssemblyName}\"", Repository.Read(Project.Named("Arrakis.DataPlane").Path), StringComparison.Ordinal);
            });
    }

    [Fact]
    public void Every_project_is_in_the_solution_and_every_entry_is_a_project()
    {
        IEnumerable<string> listed = ProjectEntry().Matches(Repository.Read("Arrakis.sln")).Select(static match => match.Groups[1].Value.Replace('\\', '/'));

        Assert.Equal(Project.All.Select(static project => project.Path).Order(), listed.Order());
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static bool Matches(string package, string allowed) =>
        allowed.EndsWith('*') ? package.StartsWith(allowed[..^1], StringComparison.Ordinal) : package == allowed;

    [GeneratedRegex(@"""([^""]+\.csproj)""")]
    private static partial Regex ProjectEntry();
}
