using System.Buffers.Binary;
using System.Text;
using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Tests.Devices.Nvme;

/// <summary>A controller's registers, its admin queue, and the I/O queue that the daemon may make, in the daemon's own memory.</summary>
internal sealed class FakeNvmeController(NvmeMemory memory) : IRegisterFile
{
    private const int Stride = 8;

    private readonly Dictionary<long, uint> _registers = [];
    private readonly uint[] _fetched = new uint[2];
    private readonly uint[] _posted = new uint[2];
    private int _reads;

    /// <summary>CAP: queues of 1024 entries, two seconds, doorbells eight bytes apart, the NVM command set, pages of 4 KiB.</summary>
    internal ulong Capabilities { get; set; } = 1023UL | 4UL << 24 | 1UL << 32 | 1UL << 37;

    /// <summary>How often CSTS is read before it follows CC.</summary>
    internal int Delay { get; init; } = 3;

    internal bool NeverReady { get; init; }

    internal bool FailsAtEnable { get; init; }

    internal bool IsGone { get; set; }

    internal bool NeverCompletes { get; set; }

    /// <summary>What is added to the identifiers of completions.</summary>
    internal ushort IdError { get; init; }

    /// <summary>Status of commands by opcode; success where none is said.</summary>
    internal Dictionary<byte, ushort> Refused { get; } = [];

    /// <summary>I/O queues that it gives.</summary>
    internal int Queues { get; init; } = 4;

    /// <summary>What it says of itself.</summary>
    internal byte[] Controller { get; } = MakeController();

    /// <summary>What it says of namespace 1.</summary>
    internal byte[] Namespace { get; } = MakeNamespace();

    internal bool IsCacheOn { get; init; } = true;

    /// <summary>Commands in their order.</summary>
    internal List<NvmeCommand> Commands { get; } = [];

    internal bool IsEnabled => (_registers.GetValueOrDefault(NvmeRegister.Configuration) & NvmeRegister.Enable) != 0;

    internal uint Register(long offset) => _registers.GetValueOrDefault(offset);

    public byte Read8(long offset) => throw new InvalidOperationException("NVMe has registers of four and eight bytes.");

    public ushort Read16(long offset) => throw new InvalidOperationException("NVMe has registers of four and eight bytes.");

    public uint Read32(long offset)
    {
        if (IsGone)
        {
            return uint.MaxValue;
        }

        return offset switch
        {
            NvmeRegister.Capabilities => (uint)Capabilities,
            NvmeRegister.Capabilities + 4 => (uint)(Capabilities >> 32),
            NvmeRegister.Status => Status(),
            _ => _registers.GetValueOrDefault(offset),
        };
    }

    public void Write8(long offset, byte value) => throw new InvalidOperationException("NVMe has registers of four and eight bytes.");

    public void Write16(long offset, ushort value) => throw new InvalidOperationException("NVMe has registers of four and eight bytes.");

    public void Write32(long offset, uint value)
    {
        if (offset == NvmeRegister.Configuration)
        {
            _reads = 0;
            Array.Clear(_fetched);
            Array.Clear(_posted);
        }

        _registers[offset] = value;
        for (int queue = 0; queue < 2; queue++)
        {
            if (offset == NvmeRegister.SubmissionTail((ushort)queue, Stride))
            {
                Serve(queue, value);
            }
        }
    }

    private static byte[] MakeController()
    {
        byte[] bytes = new byte[IdentifyController.Length];
        Encoding.ASCII.GetBytes("SERIAL-1            ").CopyTo(bytes, 4);
        Encoding.ASCII.GetBytes("Model of a test").CopyTo(bytes, 24);
        bytes[77] = 5; // MDTS: 128 KiB
        bytes[78] = 7;
        bytes[512] = 0x66;
        bytes[513] = 0x44;
        bytes[516] = 1;
        bytes[520] = 0x0C; // DSM and write zeroes
        bytes[525] = 1;
        bytes[536] = 1;
        return bytes;
    }

    private static byte[] MakeNamespace()
    {
        byte[] bytes = new byte[IdentifyController.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 1 << 20);
        bytes[25] = 1; // Two formats, of which it has the second.
        bytes[26] = 1;
        bytes[130] = 9;
        bytes[134] = 12;
        return bytes;
    }

    private uint Status()
    {
        if (FailsAtEnable && IsEnabled)
        {
            return NvmeRegister.FatalStatus;
        }

        bool follows = _reads++ >= Delay;
        return IsEnabled ? follows && !NeverReady ? NvmeRegister.Ready : 0 : follows ? 0 : NvmeRegister.Ready;
    }

    private void Serve(int queue, uint tail)
    {
        Span<byte> bytes = stackalloc byte[NvmeCommand.Size];
        while (_fetched[queue] % NvmeCommandQueue.Size != tail)
        {
            long entry = NvmeMemory.SubmissionQueue(queue) + _fetched[queue]++ % NvmeCommandQueue.Size * NvmeCommand.Size;
            for (int i = 0; i < NvmeCommand.Size; i += sizeof(ulong))
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[i..], memory.Mapping.LoadUInt64(entry + i));
            }

            NvmeCommand command = NvmeCommand.Read(bytes);
            Commands.Add(command);
            if (!NeverCompletes)
            {
                Complete(queue, command, queue == 0 ? Answer(command) : 0);
            }
        }
    }

    private uint Answer(NvmeCommand command)
    {
        byte[]? data = command is { Opcode: NvmeOpcode.Identify } ? command.Dword10 == NvmeOpcode.IdentifyController ? Controller : Namespace : null;
        for (int i = 0; data is not null && i < data.Length; i += sizeof(ulong))
        {
            memory.Mapping.Store((long)(command.Data1 - NvmeMemory.IovaBase) + i, BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(i)));
        }

        return command.Opcode switch
        {
            NvmeOpcode.SetFeatures => (uint)(Queues - 1) | (uint)(Queues - 1) << 16,
            NvmeOpcode.GetFeatures => IsCacheOn ? 1u : 0,
            _ => 0,
        };
    }

    private void Complete(int queue, NvmeCommand command, uint result)
    {
        uint place = _posted[queue]++;
        long entry = NvmeMemory.CompletionQueue(queue) + place % NvmeCommandQueue.Size * NvmeCompletion.Size;
        ushort status = Refused.GetValueOrDefault(command.Opcode);
        memory.Mapping.Store(entry, result);
        memory.Mapping.Store(entry + NvmeCompletion.Dword2Offset, _fetched[queue] % NvmeCommandQueue.Size);
        memory.Mapping.Store(
            entry + NvmeCompletion.Dword3Offset,
            NvmeCompletion.ComposeDword3((ushort)(command.Id + IdError), place / NvmeCommandQueue.Size % 2 == 0, new NvmeStatus(status)));
    }
}
