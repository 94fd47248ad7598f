namespace Arrakis.TestBed.Daemon;

/// <summary>The project's other programs: beside this one in the build's output.</summary>
public static class Programs
{
    public static string Daemon => Find("Arrakis.ControlPlane", "arrakisd");

    public static string SoftDevice => Find("Arrakis.SoftDevice", "arrakis-softdevice");

    public static string Control => Find("Arrakis.Ctl", "arrakisctl");

    public static string UdpEcho => Find("UdpEcho", "UdpEcho");

    public static string UdpPing => Find("UdpPing", "UdpPing");

    public static string KvStore => Find("KvStore", "KvStore");

    public static string NativeChild => Find("Arrakis.Native.Child", "Arrakis.Native.Child");

    public static string SystemApp => Find("Arrakis.System.App", "Arrakis.System.App");

    /// <summary>A program of the same build: .../bin/PROJECT/CONFIGURATION/PROGRAM.</summary>
    private static string Find(string project, string program)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        string path = Path.Combine(own.Parent!.Parent!.FullName, project, own.Name, program);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there. Build the solution: make build.", path);
    }
}
