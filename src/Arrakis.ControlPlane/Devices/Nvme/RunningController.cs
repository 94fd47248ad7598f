using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Native;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>A controller with the queue pairs of a binding.</summary>
internal sealed class RunningController(NvmeController controller, IRegisterFile registers, NvmeMemory memory, IReadOnlyList<ushort> queues) : IRunningFunction
{
    /// <inheritdoc/>
    public bool HasFailed
    {
        get
        {
            try
            {
                uint status = registers.Read32(NvmeRegister.Status);
                return (status & NvmeRegister.FatalStatus) != 0; // Also where it is gone and reads as ones.
            }
            catch (Exception e) when (e is LinuxException or ObjectDisposedException)
            {
                return true;
            }
        }
    }

    /// <summary>Deletes the queues, which aborts what is in flight; a controller that does not do it is disabled.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        try
        {
            foreach (ushort queue in queues)
            {
                await controller.DeleteQueuePairAsync(queue, cancellation).ConfigureAwait(false);
            }
        }
        finally
        {
            await controller.DisableAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();
}
