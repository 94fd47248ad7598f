using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>
/// Changes to functions that may block in the kernel for as long as another process holds the device: each on a thread of
/// its own, waited for in bounded time, and one at a time for each function.
/// </summary>
internal sealed class FunctionWork(TimeProvider time, ILogger logger)
{
    private readonly ConcurrentDictionary<PciAddress, string> _underWay = [];

    /// <summary>Runs a change.</summary>
    /// <param name="address">The function; no other change of it begins meanwhile, also past the limit.</param>
    /// <param name="what">What is done, as in "binding 0000:01:10.0 to vfio-pci".</param>
    /// <param name="limit">How long it is waited for.</param>
    /// <param name="change">The change; its token says that nobody waits any more.</param>
    /// <exception cref="ArrakisException">It failed, has not ended in time, or an earlier one has not ended yet.</exception>
    internal async Task RunAsync(PciAddress address, string what, TimeSpan limit, Action<CancellationToken> change)
    {
        if (!_underWay.TryAdd(address, what))
        {
            throw new ArrakisException(
                ErrorCode.DeviceInUse,
                $"{address} cannot be changed now: {_underWay.GetValueOrDefault(address, "an earlier change")} has not ended.",
                "End the process that holds the device, or try again later.");
        }

        var nobodyWaits = new CancellationTokenSource();
        Task<Exception?> run = Task.Factory.StartNew(
            () => Run(address, change, nobodyWaits.Token),
            CancellationToken.None,
            TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default);
        try
        {
            if (await run.WaitAsync(limit, time).ConfigureAwait(false) is { } fault)
            {
                throw Translate(what, fault);
            }

            nobodyWaits.Dispose();
        }
        catch (TimeoutException e)
        {
            await nobodyWaits.CancelAsync().ConfigureAwait(false);
            _ = run.ContinueWith(
                late => logger.LogWarning("The kernel has come back from {What}: {Outcome}.", what, late.Result?.Message ?? "done"),
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default);
            throw new ArrakisException(
                ErrorCode.DeviceInUse,
                $"{Sentence(what)} has not ended after {limit.TotalSeconds:0} s: a process holds the device and does not let go.",
                "End that process ('fuser -v /dev/vfio/* /dev/vfio/devices/*' names it).",
                e);
        }
    }

    /// <summary>Undoes, within a change, what of it was done before it failed. A second fault is logged; the first is the one to tell.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The first fault is the one to tell; what is not undone stays remembered.")]
    internal void Undo(PciAddress address, Action undo)
    {
        try
        {
            undo();
        }
        catch (Exception e)
        {
            logger.LogWarning("{Address} is not what it was before: {Error}", address, e.Message);
        }
    }

    private Exception? Run(PciAddress address, Action<CancellationToken> change, CancellationToken nobodyWaits)
    {
        try
        {
            change(nobodyWaits);
            return null;
        }
        catch (Exception e) when (e is LinuxException or IOException or ArrakisException or OperationCanceledException)
        {
            return e;
        }
        finally
        {
            _ = _underWay.TryRemove(address, out _);
        }
    }

    private static ArrakisException Translate(string what, Exception fault) =>
        fault as ArrakisException
        ?? new ArrakisException(ErrorCode.DeviceUnavailable, $"{Sentence(what)} failed: {fault.Message.TrimEnd('.')}.", "See the kernel's log (dmesg) for its reason.", fault);

    private static string Sentence(string what) => char.ToUpperInvariant(what[0]) + what[1..];
}
