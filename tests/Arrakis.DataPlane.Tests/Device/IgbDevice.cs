using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Rings;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>
/// The device's side of an 82576 function's two rings: it reads descriptors from queue memory and tails from the register page,
/// as a device would that behaves, and insists that the driver does.
/// </summary>
internal sealed unsafe class IgbDevice(byte* memory, MemoryGrant grant, RingLayout receive, RingLayout transmit, RegisterPage registers)
{
    public const int ReceiveTail = 0x818;
    public const int TransmitTail = 0x1818; // In another page.
    public const int EventArm = 0x124;
    public const uint EventBit = 1;

    private readonly (ulong Lengths, ulong Command)[] _contexts = new (ulong, ulong)[2];
    private uint _receiveHead;
    private uint _transmitHead;

    /// <summary>Called for what the driver has asked an event for; the wish is then over, as the device masks by itself.</summary>
    public Action? RaiseEvent { get; init; }

    /// <summary>The queues of a grant, as this device has them.</summary>
    public static QueueGrant[] Queues(RingLayout receive, RingLayout transmit) =>
    [
        new(QueueDirection.Receive, receive, 3, 2, new(ReceiveTail, 4), new(EventArm, 4, EventBit)),
        new(QueueDirection.Transmit, transmit, 3, 2, new(TransmitTail, 4), new(EventArm, 4, EventBit)),
    ];

    /// <summary>Descriptors to receive into.</summary>
    public int Room => Between(_receiveHead, registers[ReceiveTail], receive.QueueSize);

    /// <summary>Descriptors that the driver has posted.</summary>
    public int Posted => Between(_transmitHead, registers[TransmitTail], transmit.QueueSize);

    /// <summary>Contexts that the driver has sent.</summary>
    public int Contexts { get; private set; }

    /// <summary>Frames that left their checksum to the device.</summary>
    public int Offloaded { get; private set; }

    /// <summary>The longest time that a frame waited for its report, in frames.</summary>
    public int MostUnreported { get; private set; }

    private int Unreported { get; set; }

    /// <summary>Gives a frame to the driver, in as many buffers as it needs. False if it has too few.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="status">Status and error bits of its last descriptor.</param>
    public bool TryDeliver(ReadOnlySpan<byte> frame, ulong status = 0)
    {
        int buffers = Math.Max(1, (frame.Length + IgbReceiveDescriptor.BufferLength - 1) / IgbReceiveDescriptor.BufferLength);
        if (Room < buffers)
        {
            return false;
        }

        for (int i = 0; i < buffers; i++)
        {
            ReadOnlySpan<byte> part = frame.Length <= IgbReceiveDescriptor.BufferLength ? frame : frame[..IgbReceiveDescriptor.BufferLength];
            frame = frame[part.Length..];
            byte* descriptor = Descriptor(receive, _receiveHead);
            Require(*(ulong*)(descriptor + IgbReceiveDescriptor.StatusOffset) == 0, "a header's buffer is named, or the descriptor was not written anew");
            part.CopyTo(Buffer(*(ulong*)descriptor, IgbReceiveDescriptor.BufferLength));
            ulong last = i == buffers - 1 ? IgbReceiveDescriptor.EndOfPacket | status : 0;
            WriteBack(IgbReceiveDescriptor.Done | last | (ulong)part.Length << IgbReceiveDescriptor.LengthShift);
        }

        Raise();
        return true;
    }

    /// <summary>Writes the second word of the next descriptor back, and nothing else: what a hostile device may say.</summary>
    public void WriteBack(ulong status)
    {
        byte* descriptor = Descriptor(receive, _receiveHead);
        *(ulong*)descriptor = 0xBAD0_BAD0_BAD0_BAD0; // Type and hash, over the address: the driver is not to read it again.
        Volatile.Write(ref *(ulong*)(descriptor + IgbReceiveDescriptor.StatusOffset), status);
        _receiveHead = (_receiveHead + 1) & (uint)(receive.QueueSize - 1);
    }

    /// <summary>Takes the next frame that the driver has posted. Minus one if there is none.</summary>
    /// <param name="frame">Where to.</param>
    /// <param name="reports">Whether the driver is told.</param>
    public int TryTake(Span<byte> frame, bool reports = true)
    {
        int length = 0;
        ulong first = 0;
        while (Posted != 0)
        {
            byte* descriptor = Descriptor(transmit, _transmitHead);
            (ulong address, ulong command) = (*(ulong*)descriptor, *(ulong*)(descriptor + IgbTransmitDescriptor.CommandOffset));
            _transmitHead = (_transmitHead + 1) & (uint)(transmit.QueueSize - 1);
            Require((command & IgbTransmitDescriptor.Extended) != 0, "a legacy descriptor");
            if ((command & IgbTransmitDescriptor.TypeMask) == IgbTransmitDescriptor.Context)
            {
                Require(length == 0, "a context in a frame");
                _contexts[command >> IgbTransmitContext.IndexShift & 1] = (address, command);
                Contexts++;
                continue;
            }

            Require((command & IgbTransmitDescriptor.TypeMask) == IgbTransmitDescriptor.Data, "an unknown type of descriptor");
            Require((command & IgbTransmitDescriptor.Done) == 0, "a descriptor that is done");
            Require((command & IgbTransmitDescriptor.InsertCheckSequence) != 0, "a frame without check sequence");
            int part = (int)(command & IgbTransmitDescriptor.LengthMask);
            Buffer(address, part).CopyTo(frame[length..]);
            first = length == 0 ? command : first;
            length += part;
            bool ends = (command & IgbTransmitDescriptor.EndOfPacket) != 0;
            Unreported += ends ? 1 : 0;
            MostUnreported = Math.Max(MostUnreported, Unreported);
            if ((command & IgbTransmitDescriptor.ReportStatus) != 0)
            {
                Unreported = 0;
                if (reports)
                {
                    Volatile.Write(ref *(ulong*)(descriptor + IgbTransmitDescriptor.CommandOffset), command | IgbTransmitDescriptor.Done);
                    Raise();
                }
            }

            if (ends)
            {
                Require((int)(first >> IgbTransmitDescriptor.PayloadLengthShift) == length, "a frame of another length than is said");
                Offload(frame[..length], first);
                return length;
            }
        }

        Require(length == 0, "half a frame");
        return -1;
    }

    /// <summary>Takes the next frame that the driver has posted; null if there is none.</summary>
    public byte[]? TryTake()
    {
        byte[] frame = new byte[65536];
        int length = TryTake(frame);
        return length < 0 ? null : frame[..length];
    }

    private void Offload(Span<byte> frame, ulong command)
    {
        Require((command & IgbTransmitDescriptor.InsertIpChecksum) == 0, "an IPv4 header without checksum");
        if ((command & IgbTransmitDescriptor.InsertTransportChecksum) == 0)
        {
            return;
        }

        (ulong lengths, ulong kind) = _contexts[command >> IgbTransmitDescriptor.IndexShift & 1];
        Require((kind & (IgbTransmitContext.Ipv4 | IgbTransmitContext.Tcp)) == IgbTransmitContext.Ipv4, "a context that is not of UDP over IPv4");
        int at = (int)(lengths >> IgbTransmitContext.LinkLengthShift & 0x7F) + (int)(lengths & 0x1FF);
        Span<byte> datagram = frame[at..];
        ushort checksum = InternetChecksum.Compute(datagram);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[UdpView.ChecksumOffset..], checksum == 0 ? (ushort)0xFFFF : checksum);
        Offloaded++;
    }

    private void Raise()
    {
        if ((registers[EventArm] & EventBit) != 0 && RaiseEvent is { } raise)
        {
            registers[EventArm] = 0;
            raise();
        }
    }

    private byte* Descriptor(RingLayout ring, uint position) => memory + ring.DescriptorArea + position * IgbReceiveDescriptor.Size;

    private Span<byte> Buffer(ulong address, int length)
    {
        ulong offset = address - grant.IovaBase;
        Require(
            offset >= (ulong)grant.BufferOffset && offset + (ulong)length <= (ulong)(grant.BufferOffset + grant.BufferLength),
            $"a buffer at 0x{address:x} that is none");
        return new Span<byte>(memory + offset, length);
    }

    private static int Between(uint head, uint tail, int size)
    {
        Require(tail < (uint)size, $"a tail of {tail} in a ring of {size}");
        return (int)(tail - head & (uint)(size - 1));
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"The driver has posted {fault}.");
        }
    }
}
