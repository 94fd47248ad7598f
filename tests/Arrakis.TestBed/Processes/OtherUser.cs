using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Arrakis.TestBed.Processes;

/// <summary>Acts as another user, which root may: what a thread connects to takes it for that user's.</summary>
public static partial class OtherUser
{
    private const int SetResUid = 117; // SYS_setresuid: of this thread alone, unlike the library's function
    private const nint Unchanged = -1;

    /// <summary>Runs something, as far as its first wait, on a thread of that effective user.</summary>
    public static T Run<T>(uint uid, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        T? result = default;
        ExceptionDispatchInfo? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                if (SystemCall(SetResUid, Unchanged, (nint)uid, Unchanged) != 0)
                {
                    throw new InvalidOperationException($"This process may not become uid {uid}; run it as root.");
                }

                result = work();
            }
            catch (Exception e)
            {
                fault = ExceptionDispatchInfo.Capture(e);
            }
            finally
            {
                _ = SystemCall(SetResUid, Unchanged, 0, Unchanged);
            }
        });
        thread.Start();
        thread.Join();
        fault?.Throw();
        return result!;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third);
}
