using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// The device's side of a ring of either format against a hostile driver: features, ring contents and a sequence of calls
/// come from the input, and what is read goes through the offloads that its header asks for.
/// </summary>
/// <remarks>The granted region lies between two stretches of memory that the device must neither read into a frame nor write.</remarks>
internal sealed unsafe class DeviceRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 16;
    private const int Guard = 4096;
    private const int Granted = 8192;
    private const byte Secret = 0xA5;
    private const ulong Iova = 0x1_0000_0000;
    private const ulong FrontEnd = 0x7000_0000_0000;

    private const int Features = 1; // bytes that choose the features
    private const byte Packed = 0x20;
    private const byte Indirect = 1;

    // What each bit of the first byte of an input stands for.
    private static readonly VirtioFeatures[] _choices =
    [
        VirtioFeatures.RingIndirectDescriptors,
        VirtioFeatures.RingEventIndex,
        VirtioFeatures.InOrder,
        VirtioFeatures.NetMergeableReceiveBuffers,
        VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso,
        VirtioFeatures.RingPacked,
    ];

    private static readonly RingLayout _split = RingLayout.At(RingFormat.Split, 0, Size);
    private static readonly RingLayout _packed = RingLayout.At(RingFormat.Packed, 0, Size);

    private readonly MemoryFile _file = MemoryFile.Create("fuzz", Guard + Granted + Guard, PagePreference.BaseOnly);
    private readonly MemoryMapping _mapping;
    private readonly MemoryTable _table;
    private readonly byte[] _header = new byte[VirtioNetHeader.Length];
    private readonly byte[] _frame = new byte[4096];
    private readonly FrameCompletion _completion = new();

    public DeviceRingTarget()
    {
        _mapping = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        new Span<byte>(_mapping.Start, (int)_mapping.Length).Fill(Secret);
        _table = new MemoryTable(new MappedRegion(_mapping, Guard, Granted, new Iova(Iova), new FrontEndAddress(FrontEnd)));
    }

    public override string Name => "device-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } = [Valid(chained: false), Valid(chained: true), Loop(), Tables(), Packets(DescriptorFlags.Available), Packets(DescriptorFlags.Available | DescriptorFlags.Next), Segments()];

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
        byte choice = reader.Byte();
        VirtioFeatures features = VirtioFeatures.None;
        for (int bit = 0; bit < _choices.Length; bit++)
        {
            features |= (choice >> bit & 1) != 0 ? _choices[bit] : VirtioFeatures.None;
        }

        // The part up to the used ring; buffers, which the rest of the region is for, come after it.
        reader.Bytes((int)_split.End).CopyTo(new Span<byte>(granted, Granted));
        DeviceRing? device = Attach(features, reader.Short());
        if (device is null)
        {
            Promise((choice & Packed) != 0, "a split ring inside the region can be attached");
            return;
        }

        for (int step = 0; step < 64 && !reader.IsEmpty; step++)
        {
            Step(device, features, ref reader, granted);
        }

        Promise(new ReadOnlySpan<byte>(_mapping.Start, Guard).IndexOfAnyExcept(Secret) < 0, "nothing before the region is written");
        Promise(new ReadOnlySpan<byte>(granted + Granted, Guard).IndexOfAnyExcept(Secret) < 0, "nothing after the region is written");
    }

    private DeviceRing? Attach(VirtioFeatures features, ushort next)
    {
        RingLayout layout = (features & VirtioFeatures.RingPacked) != 0 ? _packed : _split;
        _ = DeviceRing.TryAttach(
            _table,
            Size,
            new FrontEndAddress(FrontEnd + (ulong)layout.DescriptorArea),
            new FrontEndAddress(FrontEnd + (ulong)layout.DriverArea),
            new FrontEndAddress(FrontEnd + (ulong)layout.DeviceArea),
            next,
            features,
            out DeviceRing? device);
        return device;
    }

    private void Step(DeviceRing device, VirtioFeatures features, ref InputReader reader, byte* granted)
    {
        RingFault before = device.Fault;
        switch (reader.Byte() % 6)
        {
            case 0 or 1:
                Array.Clear(_frame);
                RingRead read = device.TryRead(_header, _frame, out int length);
                Promise(length <= _frame.Length, "a frame fits into its buffer");
                Promise(_frame.AsSpan(0, length).IndexOf([Secret, Secret, Secret, Secret, Secret, Secret, Secret, Secret]) < 0 || Contains(granted), "no byte from outside the region gets into a frame");
                if (read is RingRead.Frame or RingRead.TooLong or RingRead.TooShort)
                {
                    device.Complete();
                }

                if (read == RingRead.Frame)
                {
                    Finish(features, _frame.AsSpan(0, length));
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
                device.OwnNext();
                break;
            case 4:
                device.RequestNotification(reader.Byte() % 2 == 0);
                _ = device.HasAvailable;
                break;
            default:
                // The driver changes its mind while the device is at work.
                granted[reader.Short() % (int)_split.End] = reader.Byte();
                break;
        }

        Promise(before == RingFault.None || device.Fault == before, "a dead ring stays dead");
    }

    // Whatever a header asks for, what comes out are frames, not more and none longer than the device makes.
    private void Finish(VirtioFeatures features, Span<byte> frame)
    {
        if (FrameOffload.AsksForNothing(_header) || !FrameOffload.TryRead(_header, frame, features, EthernetSwitch.MaxFrameLength, out FrameOffload offload)
            || (offload.Segments == SegmentKind.None && frame.Length > EthernetSwitch.MaxFrameLength))
        {
            return;
        }

        int count = 0;
        int done = 0;
        while (_completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> complete))
        {
            count++;
            Promise(complete.Length <= EthernetSwitch.MaxFrameLength, "no segment is longer than a frame");
            Promise(
                TransportHeader.TryFind(complete, out TransportHeader transport) && transport.IsChecksumRight(complete),
                "a frame that was finished has its checksum");
        }

        Promise(count is > 0 and <= FrameOffload.MaxSegments, "a frame makes no more segments than it may");
    }

    // The driver may itself hold bytes that look like the secret.
    private static bool Contains(byte* granted) => new ReadOnlySpan<byte>(granted, Granted).Contains(Secret);

    private static byte[] Valid(bool chained)
    {
        byte[] input = new byte[Features + (int)_split.End + 2 + 16];
        for (int i = 0; i < Size; i++)
        {
            bool more = chained && i % 4 != 3;
            int flags = (i < Size / 2 ? 0 : DescriptorFlags.Write) | (more ? DescriptorFlags.Next : 0);
            WriteDescriptor(input, i, Iova + 2048 + (ulong)i * 256, 256, flags, i + 1);
            BitConverter.TryWriteBytes(input.AsSpan(Features + (int)_split.DriverArea + SplitFormat.EntriesOffset + i * 2), (ushort)(chained ? i * 4 % Size : i));
        }

        BitConverter.TryWriteBytes(input.AsSpan(Features + (int)_split.DriverArea + SplitFormat.IndexOffset), (ushort)(chained ? 4 : Size));
        byte[] steps = [0, 0, 3, 1, 3, 2, 100, 2, 200, 3, 4, 0, 0, 3];
        steps.CopyTo(input, Features + (int)_split.End + 2);
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

    // Indirect descriptors; their tables are the ring's own descriptors, direct ones.
    private static byte[] Tables()
    {
        byte[] input = Valid(chained: false);
        input[0] = Indirect;
        for (int i = 0; i < 4; i++)
        {
            WriteDescriptor(input, i, Iova + 64, 32, DescriptorFlags.Indirect, 0);
        }

        return input;
    }

    // A packed ring; the last field of a descriptor is the flags there, the one before it the id.
    private static byte[] Packets(int flags)
    {
        byte[] input = Valid(chained: false);
        input[0] = Packed | 0x0F;
        for (int i = 0; i < Size; i++)
        {
            bool last = i % 2 == 1;
            WriteDescriptor(input, i, Iova + 2048 + (ulong)i * 256, 256, i, flags & ~(last ? DescriptorFlags.Next : 0));
        }

        BitConverter.TryWriteBytes(input.AsSpan(Features + (int)_split.End), PackedFormat.WrapBit);
        return input;
    }

    // A UDP frame over IPv4 that is to be cut, in the ring's unused part.
    private static byte[] Segments()
    {
        byte[] input = Valid(chained: false);
        input[0] = 0x10;
        Span<byte> buffer = input.AsSpan(Features + (int)_split.DriverArea + 64, 12 + 42 + 40);
        buffer[0] = VirtioNetHeader.NeedsChecksum;
        buffer[1] = VirtioNetHeader.SegmentUdpDatagrams;
        buffer[VirtioNetHeader.SegmentSizeOffset] = 16;
        buffer[VirtioNetHeader.ChecksumStartOffset] = 34;
        buffer[VirtioNetHeader.ChecksumFieldOffset] = 6;
        Span<byte> frame = buffer[12..];
        frame[12] = 8;
        Ipv4View.Write(frame[14..], 48, IpProtocol.Udp, new(1), new(2));
        UdpView.Write(frame[34..], new(1), 1, new(2), 2);
        WriteDescriptor(input, 0, Iova + (ulong)_split.DriverArea + 64, (uint)buffer.Length, 0, 0);
        return input;
    }

    private static void WriteDescriptor(byte[] input, int index, ulong address, uint length, int flags, int next)
    {
        Span<byte> descriptor = input.AsSpan(Features + (int)_split.DescriptorArea + index * SplitFormat.DescriptorSize);
        BitConverter.TryWriteBytes(descriptor, address);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorLengthOffset..], length);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorFlagsOffset..], (ushort)flags);
        BitConverter.TryWriteBytes(descriptor[SplitFormat.DescriptorNextOffset..], (ushort)next);
    }
}
