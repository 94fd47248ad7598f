using System.Xml.Linq;

namespace Arrakis.Architecture.Tests;

/// <summary>A project file.</summary>
internal sealed record Project(string Path, string Name, string AssemblyName, IReadOnlyList<string> Projects, IReadOnlyList<string> Packages)
{
    internal static IReadOnlyList<Project> All { get; } =
        [.. Repository.Files.Where(static file => file.EndsWith(".csproj", StringComparison.Ordinal)).Select(Parse)];

    internal static Project Named(string name) => All.Single(project => project.Name == name);

    /// <summary>The compiled assembly, which the solution's build put beside this test's.</summary>
    internal string AssemblyPath =>
        System.IO.Path.Combine(Repository.Root, "artifacts", "build", "bin", Name, Repository.Configuration, AssemblyName + ".dll");

    private static Project Parse(string path)
    {
        var xml = XDocument.Parse(Repository.Read(path));
        string name = System.IO.Path.GetFileNameWithoutExtension(path);
        return new Project(
            path,
            name,
            xml.Descendants("AssemblyName").SingleOrDefault()?.Value ?? name,
            [.. Includes("ProjectReference").Select(static include => System.IO.Path.GetFileNameWithoutExtension(include)).Order()],
            [.. Includes("PackageReference").Order()]);

        IEnumerable<string> Includes(string element) => xml.Descendants(element).Select(static reference => reference.Attribute("Include")!.Value);
    }
}
