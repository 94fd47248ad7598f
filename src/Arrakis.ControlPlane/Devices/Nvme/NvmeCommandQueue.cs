using System.Buffers.Binary;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>
/// A queue pair by which the daemon itself gives commands to a controller, one after the other: the admin queue, or an I/O queue of its own
/// (NVMe 2.0 §3.3.1). What the controller wrote is read once and checked.
/// </summary>
internal sealed class NvmeCommandQueue
{
    /// <summary>Entries of the queue; all of a page's commands.</summary>
    internal const int Size = 64;

    private static readonly TimeSpan s_firstPause = TimeSpan.FromMicroseconds(100);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(10);

    private readonly IRegisterFile _registers;
    private readonly NvmeMemory _memory;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly ushort _queue;
    private readonly int _stride;
    private uint _submitted; // Counted, as are completions.
    private uint _completed;

    /// <summary>Makes the daemon's side, empty; the controller is told elsewhere where the queue is.</summary>
    /// <param name="registers">BAR 0.</param>
    /// <param name="memory">Where the queue is.</param>
    /// <param name="queue">0 for the admin queue, 1 for the daemon's I/O queue.</param>
    /// <param name="stride">From one doorbell to the next.</param>
    /// <param name="timeout">How long a command may take.</param>
    /// <param name="time">The clock.</param>
    internal NvmeCommandQueue(IRegisterFile registers, NvmeMemory memory, ushort queue, int stride, TimeSpan timeout, TimeProvider time)
    {
        (_registers, _memory, _queue, _stride, _timeout, _time) = (registers, memory, queue, stride, timeout, time);
        memory.ClearPage(NvmeMemory.SubmissionQueue(queue));
        memory.ClearPage(NvmeMemory.CompletionQueue(queue));
    }

    /// <summary>Does a command and waits for its end. Nothing else is under way meanwhile.</summary>
    /// <param name="command">What to do; its identifier is chosen here.</param>
    /// <param name="cancellation">Gives up; the queue is then of no more use.</param>
    /// <exception cref="FunctionFaultException">It is not answered in time, the controller has failed, or it answers what was not asked.</exception>
    internal async Task<NvmeCompletion> TryRunAsync(NvmeCommand command, CancellationToken cancellation)
    {
        ushort id = (ushort)_submitted;
        Submit(command with { Id = id });
        long start = _time.GetTimestamp();
        TimeSpan pause = s_firstPause;
        while (true)
        {
            if (TryTake() is { } completion)
            {
                return completion.Id == id
                    ? completion
                    : throw new FunctionFaultException($"it completed command {completion.Id} on queue {_queue}, which has command {id}");
            }

            ThrowIfFailed();
            if (_time.GetElapsedTime(start) > _timeout)
            {
                throw new FunctionFaultException($"it did not complete command 0x{command.Opcode:x2} on queue {_queue} within {_timeout.TotalSeconds:0.#} s");
            }

            await Task.Delay(pause, _time, cancellation).ConfigureAwait(false);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }

    /// <summary>The same for a command that has to succeed.</summary>
    /// <param name="command">What to do.</param>
    /// <param name="what">What that is, for the fault: it goes on after "to".</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="FunctionFaultException">It does not.</exception>
    internal async Task<NvmeCompletion> RunAsync(NvmeCommand command, string what, CancellationToken cancellation)
    {
        NvmeCompletion completion = await TryRunAsync(command, cancellation).ConfigureAwait(false);
        return completion.Status.IsSuccess ? completion : throw new FunctionFaultException($"it refuses to {what}: {completion.Status}");
    }

    private void Submit(NvmeCommand command)
    {
        Span<byte> bytes = stackalloc byte[NvmeCommand.Size];
        command.Write(bytes);
        long entry = NvmeMemory.SubmissionQueue(_queue) + _submitted % Size * NvmeCommand.Size;
        for (int i = 0; i < NvmeCommand.Size; i += sizeof(ulong))
        {
            _memory.Mapping.Store(entry + i, BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]));
        }

        _submitted++;
        _registers.Write32(NvmeRegister.SubmissionTail(_queue, _stride), _submitted % Size);
    }

    private NvmeCompletion? TryTake()
    {
        long entry = NvmeMemory.CompletionQueue(_queue) + _completed % Size * NvmeCompletion.Size;
        uint last = _memory.Mapping.LoadUInt32(entry + NvmeCompletion.Dword3Offset);
        bool phase = _completed / Size % 2 == 0; // 1 in the first round (NVMe 2.0 §3.3.3.2).
        if ((last & NvmeCompletion.PhaseBit) != 0 != phase)
        {
            return null;
        }

        var completion = new NvmeCompletion(_memory.Mapping.LoadUInt32(entry), _memory.Mapping.LoadUInt32(entry + NvmeCompletion.Dword2Offset), last);
        _completed++;
        _registers.Write32(NvmeRegister.CompletionHead(_queue, _stride), _completed % Size);
        return completion;
    }

    private void ThrowIfFailed()
    {
        uint status = _registers.Read32(NvmeRegister.Status);
        if (status == NvmeRegister.Gone)
        {
            throw new FunctionFaultException("it is not there any more: its registers read as ones");
        }

        if ((status & NvmeRegister.FatalStatus) != 0)
        {
            throw new FunctionFaultException("it has failed (CSTS.CFS)");
        }
    }
}
