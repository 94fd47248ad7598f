using Arrakis.Native;
using Arrakis.Native.Events;

namespace Arrakis.SoftDevice.Ports.Uplink;

/// <summary>
/// A thread that sleeps until the kernel sends something through the uplink and then raises a flag, so that the
/// polling thread looks at one word instead of making a system call each round. The flag stays up until
/// the wire was read empty.
/// </summary>
internal sealed class UplinkWatcher : IDisposable
{
    private const int WireToken = 0;
    private const int StopToken = 1;

    private readonly Epoll _epoll = new();
    private readonly EventFd _stop = new();
    private readonly Descriptor _wire;
    private readonly EventFd _wake;
    private readonly Thread _thread;
    private volatile bool _isReady;

    /// <summary>Starts to watch.</summary>
    /// <param name="wire">The wire; it must outlive the watcher.</param>
    /// <param name="wake">Raised with the flag, for a polling thread that sleeps.</param>
    public UplinkWatcher(Descriptor wire, EventFd wake)
    {
        _wire = wire;
        _wake = wake;
        _epoll.Add(_stop.Descriptor, StopToken);
        _epoll.Add(wire, WireToken, Readiness.Read, EpollMode.OneShot);
        _thread = new Thread(Run) { IsBackground = true, Name = "uplink" };
        _thread.Start();
    }

    /// <summary>Whether the wire may have a frame.</summary>
    public bool IsReady => _isReady;

    /// <summary>The wire was read empty: sleep until the next frame.</summary>
    public void Rearm()
    {
        _isReady = false;
        _epoll.Rearm(_wire, WireToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Signal();
        _thread.Join();
        _epoll.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        Span<int> tokens = stackalloc int[2];
        while (true)
        {
            int count = _epoll.Wait(tokens, -1);
            foreach (int token in tokens[..count])
            {
                if (token == StopToken)
                {
                    return;
                }

                _isReady = true;
                _wake.Signal();
            }
        }
    }
}
