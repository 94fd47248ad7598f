using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Native.Vfio;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>Sets NVMe controllers up, whole ones and those of virtual functions: the queue pairs of a grant are made in its queue memory.</summary>
internal sealed class NvmeDriver : IFunctionDriver
{
    private const int RegisterBar = 0;

    /// <inheritdoc/>
    public string Model => "nvme";

    /// <inheritdoc/>
    public RingFormat? RingFormat => Wire.Rings.RingFormat.Nvme;

    /// <inheritdoc/>
    public async Task<FunctionSetup> SetUpAsync(VfioDevice device, DmaDomain domain, SessionRequest request, TimeProvider time, CancellationToken cancellation)
    {
        var bar = new BarRegisters(device, RegisterBar);
        var memory = new NvmeMemory();
        try
        {
            memory.MapInto(domain);
            NvmeController controller = await SetUpAsync(bar, memory, request.Storage, time, cancellation).ConfigureAwait(false);
            int stride = controller.Capabilities.DoorbellStride;
            ushort[] queues = [.. request.Storage.Queues.Select(static (_, index) => QueueOf(index))];
            return new FunctionSetup(
                VirtioFeatures.None,
                [.. queues.Select(queue => new DoorbellRegister(bar.FileOffset(NvmeRegister.SubmissionTail(queue, stride)), sizeof(uint)))],
                null,
                null)
            {
                CompletionDoorbells = [.. queues.Select(queue => new DoorbellRegister(bar.FileOffset(NvmeRegister.CompletionHead(queue, stride)), sizeof(uint)))],
                HasSgl = controller.Identity.HasSgl,
                Running = new RunningController(controller, bar, memory, queues),
            };
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>The same over any registers.</summary>
    internal static async Task<NvmeController> SetUpAsync(IRegisterFile registers, NvmeMemory memory, StorageGrant grant, TimeProvider time, CancellationToken cancellation)
    {
        NvmeController controller = await NvmeController.EnableAsync(registers, memory, time, cancellation).ConfigureAwait(false);
        BlockGeometry geometry = await controller.DescribeAsync(grant.NamespaceId, cancellation).ConfigureAwait(false);
        if (geometry.BlockSize != grant.BlockSize || grant.Extents.Any(extent => extent.Start > geometry.BlockCount - extent.Count))
        {
            throw new FunctionFaultException($"namespace {grant.NamespaceId} now has {geometry.BlockCount} blocks of {geometry.BlockSize} bytes, into which the area does not fit any more");
        }

        int granted = await controller.RequestQueuesAsync(grant.Queues.Count, cancellation).ConfigureAwait(false);
        if (granted < grant.Queues.Count)
        {
            throw new FunctionFaultException($"it has {granted} I/O queues, and {grant.Queues.Count} are asked for");
        }

        for (int i = 0; i < grant.Queues.Count; i++)
        {
            RingLayout ring = grant.Queues[i].Ring;
            await controller.CreateQueuePairAsync(
                QueueOf(i), ring.QueueSize, grant.Memory.IovaBase + (ulong)ring.DescriptorArea, grant.Memory.IovaBase + (ulong)ring.DeviceArea, (ushort)i, cancellation).ConfigureAwait(false);
        }

        return controller;
    }

    private static ushort QueueOf(int index) => (ushort)(index + 1); // 0 is the admin queue.
}
