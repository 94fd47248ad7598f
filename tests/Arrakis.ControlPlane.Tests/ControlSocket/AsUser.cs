using System.Runtime.InteropServices;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>Connects as another user: the kernel notes the effective user of the connecting thread.</summary>
internal static partial class AsUser
{
    private const int SetResUid = 117; // SYS_setresuid: of this thread alone, unlike the library's function
    private const nint Unchanged = -1;

    /// <summary>Connects and says hello as a user.</summary>
    internal static async Task<RawClient> GreetAsync(string path, uint uid)
    {
        RawClient? client = null;
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                Assert.Equal(0, SystemCall(SetResUid, Unchanged, (nint)uid, Unchanged));
                client = RawClient.Connect(path);
            }
            catch (Exception e)
            {
                fault = e;
            }
            finally
            {
                _ = SystemCall(SetResUid, Unchanged, 0, Unchanged);
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(fault);
        await client!.HelloAsync();
        return client;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third);
}
