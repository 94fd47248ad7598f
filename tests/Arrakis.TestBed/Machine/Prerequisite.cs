namespace Arrakis.TestBed.Machine;

/// <summary>What has to be there before a test can run: a test without it fails and says what to do.</summary>
public static class Prerequisite
{
    private const string AdministratorsPrograms = "/usr/sbin";

    /// <summary>A program of others.</summary>
    /// <param name="program">Its path, or its name where it is to be in the PATH.</param>
    /// <param name="package">Debian's package that has it.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    public static void Require(string program, string package)
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), AdministratorsPrograms];
        _ = File(folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(System.IO.File.Exists, program), $"Debian's package {package}");
    }

    /// <summary>A file; returns its path.</summary>
    /// <param name="path">Where it is to be.</param>
    /// <param name="origin">What has it.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    public static string File(string path, string origin) =>
        System.IO.File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there ({origin}): run scripts/setup test.", path);
}
