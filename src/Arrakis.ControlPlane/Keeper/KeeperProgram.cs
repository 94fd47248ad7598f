using System.Diagnostics;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>Starts the daemon's own program as a keeper.</summary>
internal static class KeeperProgram
{
    internal static Process Start(string socketPath)
    {
        string beside = Path.Combine(AppContext.BaseDirectory, "arrakisd");
        var start = new ProcessStartInfo("setsid") { UseShellExecute = false }; // A child is no group leader: setsid(1) does not fork.
        if (File.Exists(beside))
        {
            start.ArgumentList.Add(beside);
        }
        else
        {
            start.ArgumentList.Add(Environment.ProcessPath ?? "dotnet");
            start.ArgumentList.Add(beside + ".dll");
        }

        start.ArgumentList.Add("keeper");
        start.ArgumentList.Add("--socket");
        start.ArgumentList.Add(socketPath);
        start.Environment["DOTNET_TieredPGO"] = "0"; // It waits nearly always.
        _ = start.Environment.Remove(Hosting.ServiceNotifier.SocketVariable);
        return Process.Start(start) ?? throw new IOException("The keeper did not start.");
    }
}
