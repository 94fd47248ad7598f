using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Memory;
using Arrakis.NvmeCost.Reference;
using Arrakis.Wire.Rings;

namespace Arrakis.NvmeCost;

/// <summary>Memory of a queue pair and of buffers, a page for the doorbells, and the controller on both.</summary>
internal sealed class QueueBed : IDisposable
{
    private const ulong IovaBase = 0x1_0000_0000;
    private const uint Namespace = 1;

    private readonly MemoryFile _memory;
    private readonly MemoryFile _registers = MemoryFile.Create("benchmark doorbells", MemoryFile.BasePageSize, PagePreference.BaseOnly);
    private readonly BlockQueueLayout _queue;
    private readonly MemoryGrant _grant;
    private readonly NvmeReference.Layout _layout;

    public QueueBed(int size, int depth, int bufferLength)
    {
        _queue = BlockQueueLayout.At(RingFormat.Nvme, 0, size, Math.Max(bufferLength, MemoryFile.BasePageSize));
        BufferOffset = (_queue.End + MemoryFile.BasePageSize - 1) / MemoryFile.BasePageSize * MemoryFile.BasePageSize;
        _memory = MemoryFile.Create("benchmark nvme", BufferOffset + (long)depth * bufferLength, PagePreference.BaseOnly);
        _grant = new MemoryGrant(_memory.Length, MemoryFile.BasePageSize, IovaBase, BufferOffset, _memory.Length - BufferOffset, bufferLength);
        _layout = new NvmeReference.Layout
        {
            Submission = _queue.Ring.DescriptorArea,
            Completion = _queue.Ring.DeviceArea,
            Lists = _queue.CommandArea,
            Length = _memory.Length,
            Iova = IovaBase,
            Size = (uint)size,
            ListLength = (uint)_queue.PrpListLength,
            Namespace = Namespace,
        };
        Device = NvmeReference.OpenDevice(_memory.Descriptor.Number, _registers.Descriptor.Number, _layout);
        if (Device == 0)
        {
            throw new InvalidOperationException("The controller in memory cannot be mapped.");
        }
    }

    /// <summary>Where buffers begin.</summary>
    public long BufferOffset { get; }

    /// <summary>The controller.</summary>
    public nint Device { get; }

    /// <summary>Makes our driver's side.</summary>
    /// <param name="region">Mapped queue memory; the caller's.</param>
    /// <param name="registers">Mapped doorbells; the caller's.</param>
    public NvmeQueuePair OpenArrakis(out DmaRegion region, out DeviceRegisters registers)
    {
        region = DmaRegion.Map(_grant, _memory.Descriptor);
        registers = new DeviceRegisters();
        return new NvmeQueuePair(
            region,
            _queue,
            new Doorbell(registers.Map(new DoorbellRegister(8, sizeof(uint)), 0, _registers.Descriptor), null),
            new Doorbell(registers.Map(new DoorbellRegister(12, sizeof(uint)), 0, _registers.Descriptor), null),
            Namespace,
            usesSgl: false);
    }

    /// <summary>Makes the reference's.</summary>
    public nint OpenReference() => NvmeReference.OpenDriver(_memory.Descriptor.Number, _registers.Descriptor.Number, _layout) is var driver and not 0
        ? driver
        : throw new InvalidOperationException("The reference's driver cannot be mapped.");

    public void Dispose()
    {
        NvmeReference.Close(Device, isDriver: false);
        _memory.Dispose();
        _registers.Dispose();
    }
}
