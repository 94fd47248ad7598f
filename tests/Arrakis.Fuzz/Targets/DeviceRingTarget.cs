using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>The device's side of a ring against a hostile driver: ring contents and a sequence of calls come from the input.</summary>
/// <remarks>The granted region lies between two stretches of memory that the device must neither read into a frame nor write.</remarks>
internal sealed unsafe class DeviceRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 16;
    private const int Guard = 4096;
    private const int Granted = 8192;
    private const byte Secret = 0xA5;
    private const ulong Iova = 0x1_0000_0000;
    private const ulong FrontEnd = 0x7000_0000_0000;

    private static readonly VirtqueueLayout _layout = VirtqueueLayout.At(VirtqueueFormat.Split, 0, Size);

    private readonly MemoryFile _file = MemoryFile.Create("fuzz", Guard + Granted + Guard, PagePreference.BaseOnly);
    private readonly MemoryMapping _mapping;
    private readonly MemoryTable _table;
    private readonly byte[] _frame = new byte[1514];

    public DeviceRingTarget()
    {
        _mapping = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        new Span<byte>(_mapping.Start, (int)_mapping.Length).Fill(Secret);
        _table = new MemoryTable(new MappedRegion(_mapping, Guard, Granted, new Iova(Iova), new FrontEndAddress(FrontEnd)));
    }

    public override string Name => "device-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } = [Valid(chained: false), Valid(chained: true), Loop()];

    public void Dispose()
    {
        _table.Dispose();
        _file.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte* granted = _mapping.Start + Guard;
        new Span<byte>(granted, Granted).Clear();
        var reader = new InputReader(input);
        ReadOnlySpan<byte> ring = reader.Bytes((int)_layout.End);
        ring.CopyTo(new Span<byte>(granted, Granted));
        if (SplitDeviceRing.TryAttach(_table, _layout, new FrontEndAddress(FrontEnd), reader.Short(), out SplitDeviceRing? device) != RingFault.None)
        {
            Promise(false, "a ring inside the region can be attached");
        }

        for (int step = 0; step < 64 && !reader.IsEmpty; step++)
        {
            Step(device!, ref reader, granted);
        }

        Promise(new ReadOnlySpan<byte>(_mapping.Start, Guard).IndexOfAnyExcept(Secret) < 0, "nothing before the region is written");
        Promise(new ReadOnlySpan<byte>(granted + Granted, Guard).IndexOfAnyExcept(Secret) < 0, "nothing after the region is written");
    }

    private void Step(SplitDeviceRing device, ref InputReader reader, byte* granted)
    {
        RingFault before = device.Fault;
        switch (reader.Byte() % 6)
        {
            case 0 or 1:
                Array.Clear(_frame);
                RingRead read = device.TryRead(VirtioNetHeader.Length, _frame, out int length);
                Promise(length <= _frame.Length, "a frame fits into its buffer");
                Promise(_frame.AsSpan(0, length).IndexOf([Secret, Secret, Secret, Secret, Secret, Secret, Secret, Secret]) < 0 || Contains(granted), "no byte from outside the region gets into a frame");
                if (read is RingRead.Frame or RingRead.TooLong or RingRead.TooShort)
                {
                    device.Complete();
                }

                Promise((read == RingRead.Broken) == (device.Fault != RingFault.None), "a broken ring says so");
                break;
            case 2:
                RingWrite written = device.TryWrite(new byte[VirtioNetHeader.Length], new byte[reader.Byte() * 6]);
                Promise((written == RingWrite.Broken) == (device.Fault != RingFault.None), "a broken ring says so");
                break;
            case 3:
                _ = device.Publish();
                _ = device.DriverWantsEvent;
                break;
            case 4:
                device.RequestNotification(reader.Byte() % 2 == 0);
                _ = device.HasAvailable;
                break;
            default:
                // The driver changes its mind while the device is at work.
                granted[reader.Short() % (int)_layout.End] = reader.Byte();
                break;
        }

        Promise(before == RingFault.None || device.Fault == before, "a dead ring stays dead");
    }

    // The driver may itself hold bytes that look like the secret.
    private static bool Contains(byte* granted) => new ReadOnlySpan<byte>(granted, Granted).Contains(Secret);

    private static byte[] Valid(bool chained)
    {
        byte[] input = new byte[(int)_layout.End + 2 + 16];
        for (int i = 0; i < Size; i++)
        {
            bool more = chained && i % 4 != 3;
            int flags = (i < Size / 2 ? 0 : DescriptorFlags.Write) | (more ? DescriptorFlags.Next : 0);
            WriteDescriptor(input, i, Iova + 2048 + (ulong)i * 256, 256, flags, i + 1);
            BitConverter.TryWriteBytes(input.AsSpan((int)_layout.DriverArea + SplitFormat.EntriesOffset + i * 2), (ushort)(chained ? i * 4 % Size : i));
        }

        BitConverter.TryWriteBytes(input.AsSpan((int)_layout.DriverArea + SplitFormat.IndexOffset), (ushort)(chained ? 4 : Size));
        byte[] steps = [0, 0, 3, 1, 3, 2, 100, 2, 200, 3, 4, 0, 0, 3];
        steps.CopyTo(input, (int)_layout.End + 2);
        return input;
    }

    private static byte[] Loop()
    {
        byte[] input = Valid(chained: true);
        for (int i = 0; i < Size; i++)
        {
            WriteDescriptor(input, i, Iova + 4096, 0, DescriptorFlags.Next, (i + 1) % Size);
        }

        return input;
    }

    private static void WriteDescriptor(byte[] input, int index, ulong address, uint length, int flags, int next)
    {
        Span<byte> descriptor = input.AsSpan((int)_layout.DescriptorArea + index * SplitFormat.DescriptorSize);
        BitConverter.TryWriteBytes(descriptor, address);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorLengthOffset..], length);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorFlagsOffset..], (ushort)flags);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorNextOffset..], (ushort)next);
    }
}
