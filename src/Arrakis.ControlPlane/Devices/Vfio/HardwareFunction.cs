using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Processes;
using Arrakis.Native.Vfio;
using Microsoft.Extensions.Logging;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>What can be done with a hardware function.</summary>
internal enum FunctionState
{
    /// <summary>Nobody knows yet who has it.</summary>
    Unseen,

    /// <summary>Reset, and nobody has it.</summary>
    Free,

    /// <summary>It works for a binding.</summary>
    InUse,

    /// <summary>It was just let go of, and is being reset.</summary>
    Settling,

    /// <summary>Somebody who had it still holds its file: it goes to nobody else.</summary>
    Quarantined,

    /// <summary>It is not there any more.</summary>
    Gone,
}

/// <summary>
/// One PCI function and who may have it. A former holder can do to the function what it likes for as long as it holds the function's
/// file; the kernel opens it for nobody else meanwhile. So a function is free only once it could be opened anew, and was reset.
/// </summary>
internal sealed class HardwareFunction(FunctionPlace place, QuarantinePolicy policy, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const int SigKill = 9;
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task _settling = Task.CompletedTask;
    private FunctionState _state;

    internal FunctionPlace Place => place;

    internal FunctionState State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>Opens the function for a binding; one that is just being reset is waited for.</summary>
    /// <exception cref="LinuxException">The kernel does not give it.</exception>
    /// <exception cref="FunctionFaultException">It is in quarantine, or in use.</exception>
    internal async Task<(DmaDomain Domain, VfioDevice Device)> OpenAsync(CancellationToken cancellation)
    {
        await _settling.WaitAsync(s_grace + s_grace, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (_state != FunctionState.Free)
            {
                throw new FunctionFaultException(_state switch
                {
                    FunctionState.Gone => "it is not in the machine any more",
                    FunctionState.InUse => "it is in use",
                    _ => "it is in quarantine: a process that had it still holds it; end that process",
                });
            }

            _state = FunctionState.InUse;
        }

        try
        {
            return place.Open();
        }
        catch
        {
            Release(null);
            throw;
        }
    }

    /// <summary>A binding that an earlier daemon made goes on.</summary>
    internal void Adopt()
    {
        lock (_lock)
        {
            _state = FunctionState.InUse;
        }
    }

    /// <summary>Lets go of it; all descriptors of this process are closed. It is reset once nobody else has it.</summary>
    /// <param name="holder">Who had it, and may still; owned.</param>
    internal void Release(ProcessDescriptor? holder)
    {
        lock (_lock)
        {
            _state = FunctionState.Settling;
            _settling = Task.Run(() => SettleAsync(holder));
        }
    }

    /// <summary>The same for a function of which this daemon knows nothing yet.</summary>
    internal void ReleaseUnseen()
    {
        if (State == FunctionState.Unseen)
        {
            Release(null);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _settling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task SettleAsync(ProcessDescriptor? holder)
    {
        using ProcessDescriptor? former = holder;
        long start = time.GetTimestamp();
        TimeSpan pause = s_firstPause;
        while (true)
        {
            try
            {
                (DmaDomain domain, VfioDevice device) = place.Open();
                using (domain)
                using (device)
                {
                    device.EnsureReset();
                }

                Enter(FunctionState.Free);
                return;
            }
            catch (LinuxException e) when (e.Errno == LibC.ENOENT || e.Errno == LibC.ENODEV)
            {
                Enter(FunctionState.Gone);
                return;
            }
            catch (LinuxException e)
            {
                if (State == FunctionState.Settling && time.GetElapsedTime(start) > s_grace)
                {
                    Enter(FunctionState.Quarantined);
                    logger.LogWarning("Function {Function} is in quarantine: {Fault}", place.Address, e.Message);
                    if (policy == QuarantinePolicy.Kill && former?.Signal(SigKill) == true)
                    {
                        logger.LogWarning("Function {Function}: its former holder was killed, as the configuration says.", place.Address);
                    }
                }
            }

            await Task.Delay(pause, time, _stopping.Token).ConfigureAwait(false);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }

    private void Enter(FunctionState state)
    {
        lock (_lock)
        {
            if (_state == FunctionState.Quarantined && state == FunctionState.Free)
            {
                logger.LogInformation("Function {Function} is out of quarantine.", place.Address);
            }

            _state = state;
        }
    }
}
