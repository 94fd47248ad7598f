using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>A controller that was enabled, and its admin queue (NVMe 2.0 §3.5.1).</summary>
internal sealed class NvmeController
{
    private const int MaxTransferLength = BlockQueueLayout.MaxMaxTransferLength;
    private const uint ContiguousQueue = 1; // PC in dword 11 of both commands that make queues (§5.4, §5.5).
    private const uint InterruptsEnabled = 2; // IEN
    private static readonly TimeSpan s_commandTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    private readonly IRegisterFile _registers;
    private readonly NvmeMemory _memory;
    private readonly NvmeCommandQueue _admin;
    private readonly TimeProvider _time;

    private NvmeController(IRegisterFile registers, NvmeMemory memory, NvmeCapabilities capabilities, IdentifyController identity, NvmeCommandQueue admin, TimeProvider time)
    {
        (_registers, _memory, Capabilities, Identity, _admin, _time) = (registers, memory, capabilities, identity, admin, time);
    }

    /// <summary>What its register says.</summary>
    internal NvmeCapabilities Capabilities { get; }

    /// <summary>What it says of itself.</summary>
    internal IdentifyController Identity { get; }

    /// <summary>Disables a controller, tells it where its admin queue is, enables it, and asks who it is.</summary>
    /// <param name="registers">BAR 0.</param>
    /// <param name="memory">In the function's domain already.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="FunctionFaultException">It does not come up, or is none that can be served.</exception>
    internal static async Task<NvmeController> EnableAsync(IRegisterFile registers, NvmeMemory memory, TimeProvider time, CancellationToken cancellation)
    {
        var capabilities = new NvmeCapabilities(registers.Read32(NvmeRegister.Capabilities) | (ulong)registers.Read32(NvmeRegister.Capabilities + sizeof(uint)) << 32);
        if (capabilities.Value == ulong.MaxValue)
        {
            throw new FunctionFaultException("its registers read as ones: it is not there, or its memory space is off");
        }

        if (!capabilities.HasNvmCommandSet || capabilities.MinPageSize > NvmeRegister.PageSize)
        {
            throw new FunctionFaultException($"it has no NVM command set or no pages of {NvmeRegister.PageSize} bytes (CAP 0x{capabilities.Value:x})");
        }

        await DisableAsync(registers, capabilities, time, cancellation).ConfigureAwait(false);
        var admin = new NvmeCommandQueue(registers, memory, 0, capabilities.DoorbellStride, s_commandTimeout, time);
        registers.Write32(NvmeRegister.AdminQueueAttributes, NvmeCommandQueue.Size - 1 | (NvmeCommandQueue.Size - 1) << 16);
        WriteAddress(registers, NvmeRegister.AdminSubmissionQueue, NvmeMemory.AddressOf(NvmeMemory.SubmissionQueue(0)));
        WriteAddress(registers, NvmeRegister.AdminCompletionQueue, NvmeMemory.AddressOf(NvmeMemory.CompletionQueue(0)));
        registers.Write32(NvmeRegister.Configuration, NvmeRegister.Enable | NvmeRegister.SubmissionEntrySize | NvmeRegister.CompletionEntrySize);
        await WaitAsync(registers, ready: true, capabilities.Timeout, time, cancellation).ConfigureAwait(false);
        byte[] answer = await IdentifyAsync(admin, memory, NvmeOpcode.IdentifyController, 0, "say what it is", cancellation).ConfigureAwait(false);
        return IdentifyController.TryRead(answer, out IdentifyController? identity, out string reason)
            ? new NvmeController(registers, memory, capabilities, identity, admin, time)
            : throw new FunctionFaultException(reason);
    }

    /// <summary>Stops all that a controller does: it forgets its queues and touches no memory any more (NVMe 2.0 §3.7.2).</summary>
    /// <exception cref="FunctionFaultException">It does not stop within the time that it says itself.</exception>
    internal Task DisableAsync(CancellationToken cancellation) => DisableAsync(_registers, Capabilities, _time, cancellation);

    /// <summary>What a namespace is like, as blocks.</summary>
    /// <exception cref="FunctionFaultException">There is no such namespace, or none that can be served.</exception>
    internal async Task<BlockGeometry> DescribeAsync(uint space, CancellationToken cancellation)
    {
        if (space == 0 || space > Identity.NamespaceCount)
        {
            throw new FunctionFaultException($"it has {Identity.NamespaceCount} namespaces, and so none of number {space}");
        }

        byte[] answer = await IdentifyAsync(_admin, _memory, NvmeOpcode.IdentifyNamespace, space, $"say what namespace {space} is", cancellation).ConfigureAwait(false);
        if (!IdentifyNamespace.TryRead(answer, out IdentifyNamespace described, out string reason))
        {
            throw new FunctionFaultException($"namespace {space} cannot be served: {reason}");
        }

        if (described.MetadataSize != 0)
        {
            throw new FunctionFaultException($"namespace {space} has {described.MetadataSize} bytes of metadata with each block; format it without (nvme format)");
        }

        if (described.IsWriteProtected)
        {
            throw new FunctionFaultException($"namespace {space} is write protected");
        }

        int transfer = Identity.MaxTransferLength(Capabilities.MinPageSize, MaxTransferLength) / described.BlockSize * described.BlockSize;
        if (transfer == 0)
        {
            throw new FunctionFaultException($"it transfers less than a block of {described.BlockSize} bytes at once (MDTS {Identity.MaxTransferShift})");
        }

        StorageCapabilities capabilities = StorageCapabilities.ForceUnitAccess;
        capabilities |= await HasCacheAsync(cancellation).ConfigureAwait(false) ? StorageCapabilities.VolatileCache : 0;
        capabilities |= Identity.HasDatasetManagement ? StorageCapabilities.Discard : 0;
        capabilities |= Identity.HasWriteZeroes ? StorageCapabilities.WriteZeroes : 0;
        return new BlockGeometry(described.BlockSize, described.BlockCount, capabilities, transfer, space);
    }

    /// <summary>Asks for I/O queue pairs, before any are made (NVMe 2.0 §5.27.1.5).</summary>
    /// <returns>How many there may be; it can be more, or less, than what was asked for.</returns>
    internal async Task<int> RequestQueuesAsync(int count, CancellationToken cancellation)
    {
        uint wanted = (uint)(count - 1);
        NvmeCompletion completion = await _admin.RunAsync(
            new NvmeCommand(NvmeOpcode.SetFeatures, 0, 0, Dword10: NvmeOpcode.NumberOfQueues, Dword11: wanted | wanted << 16), "say how many queues it has", cancellation).ConfigureAwait(false);
        return (int)Math.Min(completion.Dword0 & 0xFFFF, completion.Dword0 >> 16) + 1;
    }

    /// <summary>Makes an I/O queue pair.</summary>
    /// <param name="queue">Its identifier, from 1 on.</param>
    /// <param name="size">Entries of both queues.</param>
    /// <param name="submission">The controller's address of the submission queue.</param>
    /// <param name="completion">That of the completion queue.</param>
    /// <param name="vector">The interrupt vector of its completions; null for none.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="FunctionFaultException">It does not make it.</exception>
    internal async Task CreateQueuePairAsync(ushort queue, int size, ulong submission, ulong completion, ushort? vector, CancellationToken cancellation)
    {
        if (size > Capabilities.MaxQueueEntries)
        {
            throw new FunctionFaultException($"its queues have at most {Capabilities.MaxQueueEntries} entries, and {size} are asked for");
        }

        uint identity = queue | (uint)(size - 1) << 16;
        _ = await _admin.RunAsync(
            new NvmeCommand(
                NvmeOpcode.CreateCompletionQueue, 0, 0, completion, 0, identity, ContiguousQueue | (vector is { } number ? InterruptsEnabled | (uint)number << 16 : 0)),
            $"make completion queue {queue} of {size} entries",
            cancellation).ConfigureAwait(false);
        _ = await _admin.RunAsync(
            new NvmeCommand(NvmeOpcode.CreateSubmissionQueue, 0, 0, submission, 0, identity, ContiguousQueue | (uint)queue << 16),
            $"make submission queue {queue} of {size} entries",
            cancellation).ConfigureAwait(false);
    }

    /// <summary>Deletes an I/O queue pair; its commands in flight are aborted (NVMe 2.0 §5.6, §5.7).</summary>
    /// <exception cref="FunctionFaultException">It does not, or not in time: only <see cref="DisableAsync(CancellationToken)"/> is left.</exception>
    internal async Task DeleteQueuePairAsync(ushort queue, CancellationToken cancellation)
    {
        _ = await _admin.RunAsync(new NvmeCommand(NvmeOpcode.DeleteSubmissionQueue, 0, 0, Dword10: queue), $"delete submission queue {queue}", cancellation).ConfigureAwait(false);
        _ = await _admin.RunAsync(new NvmeCommand(NvmeOpcode.DeleteCompletionQueue, 0, 0, Dword10: queue), $"delete completion queue {queue}", cancellation).ConfigureAwait(false);
    }

    /// <summary>Makes the daemon's own I/O queue, for what it has to do itself with blocks.</summary>
    internal async Task<NvmeCommandQueue> OpenOwnQueueAsync(CancellationToken cancellation)
    {
        const ushort Queue = 1;
        _ = await RequestQueuesAsync(1, cancellation).ConfigureAwait(false);
        int size = Math.Min(NvmeCommandQueue.Size, Capabilities.MaxQueueEntries);
        if (size < NvmeCommandQueue.Size)
        {
            throw new FunctionFaultException($"its queues have at most {size} entries, and the daemon's own has {NvmeCommandQueue.Size}");
        }

        var own = new NvmeCommandQueue(_registers, _memory, Queue, Capabilities.DoorbellStride, s_commandTimeout, _time);
        await CreateQueuePairAsync(
            Queue, NvmeCommandQueue.Size, NvmeMemory.AddressOf(NvmeMemory.SubmissionQueue(Queue)), NvmeMemory.AddressOf(NvmeMemory.CompletionQueue(Queue)), null, cancellation).ConfigureAwait(false);
        return own;
    }

    /// <summary>Makes the data area zero.</summary>
    internal void ClearData() => _memory.ClearAllData();

    private static async Task DisableAsync(IRegisterFile registers, NvmeCapabilities capabilities, TimeProvider time, CancellationToken cancellation)
    {
        uint configuration = registers.Read32(NvmeRegister.Configuration);
        if ((configuration & NvmeRegister.Enable) != 0)
        {
            registers.Write32(NvmeRegister.Configuration, configuration & ~NvmeRegister.Enable);
        }

        await WaitAsync(registers, ready: false, capabilities.Timeout, time, cancellation).ConfigureAwait(false);
    }

    // CSTS.RDY follows CC.EN within CAP.TO (§3.1.3.5, §3.1.3.6). A controller that has failed may be disabled all the same.
    private static async Task WaitAsync(IRegisterFile registers, bool ready, TimeSpan timeout, TimeProvider time, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            uint status = registers.Read32(NvmeRegister.Status);
            if (status == NvmeRegister.Gone)
            {
                throw new FunctionFaultException("it is not there any more: its registers read as ones");
            }

            if ((status & NvmeRegister.Ready) != 0 == ready)
            {
                return;
            }

            if (ready && (status & NvmeRegister.FatalStatus) != 0)
            {
                throw new FunctionFaultException("it fails as it is enabled (CSTS.CFS); a secondary controller has to be online and to have queues");
            }

            if (time.GetElapsedTime(start) > timeout)
            {
                throw new FunctionFaultException($"it is not {(ready ? "ready" : "idle")} within the {timeout.TotalSeconds:0.#} s that it says it needs");
            }

            await Task.Delay(s_pause, time, cancellation).ConfigureAwait(false);
        }
    }

    private static void WriteAddress(IRegisterFile registers, long register, ulong address)
    {
        registers.Write32(register, (uint)address);
        registers.Write32(register + sizeof(uint), (uint)(address >> 32));
    }

    private static async Task<byte[]> IdentifyAsync(NvmeCommandQueue admin, NvmeMemory memory, uint structure, uint space, string what, CancellationToken cancellation)
    {
        memory.ClearData();
        _ = await admin.RunAsync(new NvmeCommand(NvmeOpcode.Identify, 0, space, NvmeMemory.Data, 0, structure), what, cancellation).ConfigureAwait(false);
        return memory.ReadData(IdentifyController.Length);
    }

    // There is one, and it is on: without it each completed write is durable.
    private async Task<bool> HasCacheAsync(CancellationToken cancellation)
    {
        if (!Identity.HasVolatileWriteCache)
        {
            return false;
        }

        NvmeCompletion completion = await _admin.TryRunAsync(new NvmeCommand(NvmeOpcode.GetFeatures, 0, 0, Dword10: NvmeOpcode.VolatileWriteCache), cancellation).ConfigureAwait(false);
        return !completion.Status.IsSuccess || (completion.Dword0 & 1) != 0;
    }
}
