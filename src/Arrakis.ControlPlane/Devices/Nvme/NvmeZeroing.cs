using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>Makes blocks of a namespace read as zeros, durably, by the daemon's own I/O queue.</summary>
internal static class NvmeZeroing
{
    /// <summary>Zeroes extents.</summary>
    /// <param name="controller">Enabled, and without I/O queues.</param>
    /// <param name="geometry">What the namespace is like.</param>
    /// <param name="extents">What to zero.</param>
    /// <param name="cancellation">Gives up between two commands.</param>
    /// <exception cref="FunctionFaultException">It does not do it.</exception>
    internal static async Task RunAsync(NvmeController controller, BlockGeometry geometry, IReadOnlyList<BlockExtent> extents, CancellationToken cancellation)
    {
        NvmeCommandQueue queue = await controller.OpenOwnQueueAsync(cancellation).ConfigureAwait(false);
        bool hasCommand = geometry.Capabilities.HasFlag(StorageCapabilities.WriteZeroes);

        // Without the command zeros are written: the data area holds nothing else after its last use is cleared away.
        long step = hasCommand ? NvmeOpcode.MaxBlocks : Math.Min(geometry.MaxTransferLength, NvmeMemory.DataLength) / geometry.BlockSize;
        controller.ClearData();
        foreach (BlockExtent extent in extents)
        {
            for (long done = 0; done < extent.Count; done += step)
            {
                long block = extent.Start + done;
                uint count = (uint)Math.Min(step, extent.Count - done);
                int length = (int)count * geometry.BlockSize;
                NvmeCommand command = hasCommand
                    ? new NvmeCommand(NvmeOpcode.WriteZeroes, 0, geometry.NamespaceId)
                    : new NvmeCommand(NvmeOpcode.Write, 0, geometry.NamespaceId, NvmeMemory.Data, NvmeMemory.SecondEntry(length));
                command = command with { Dword10 = (uint)block, Dword11 = (uint)(block >> 32), Dword12 = count - 1 };
                _ = await queue.RunAsync(command, $"zero {count} blocks from {block} on", cancellation).ConfigureAwait(false);
            }
        }

        _ = await queue.RunAsync(new NvmeCommand(NvmeOpcode.Flush, 0, geometry.NamespaceId), "flush", cancellation).ConfigureAwait(false);
    }
}
