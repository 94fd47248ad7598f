namespace Arrakis.Packaging.Tests;

public sealed class ReadmeExampleTests(PackedCopy packed)
{
    [Fact]
    public async Task The_first_example_of_the_readme_builds_unchanged_against_the_packages()
    {
        using ConsoleProject project = await ConsoleProject.BuildAsync(ConsoleProject.ReadmeExample(), packed.Packages);

        Assert.True(File.Exists(project.Program));
    }
}
