namespace Arrakis.TestBed.Machine;

/// <summary>What scripts/setup has installed.</summary>
public static class Installed
{
    /// <summary>Fails, and says what to do, where a program is not installed.</summary>
    /// <param name="program">Its path, or its name where it is to be in the PATH.</param>
    /// <param name="package">Debian's package that has it.</param>
    public static void Require(string program, string package)
    {
        string path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(folder => Path.Combine(folder, program)).FirstOrDefault(System.IO.File.Exists, program);
        _ = File(path, $"Debian's package {package}");
    }

    /// <summary>A file that is there.</summary>
    public static string File(string path, string origin) =>
        System.IO.File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there ({origin}): run scripts/setup test.", path);
}
