using Tmds.Linux;

namespace Arrakis.Native.Bpf;

/// <summary>Where a program runs (enum bpf_prog_type).</summary>
public enum BpfProgramKind
{
    /// <summary>On frames of a traffic-control hook, as an sk_buff.</summary>
    TrafficControl = 3,

    /// <summary>On frames in the driver, before the kernel makes anything of them.</summary>
    Xdp = 6,
}

/// <summary>What a test run of a program gave.</summary>
/// <param name="Result">What the program returned.</param>
/// <param name="Nanoseconds">A run's duration, the average of the repetitions.</param>
public readonly record struct BpfTestResult(uint Result, uint Nanoseconds);

/// <summary>A program that the kernel's verifier has taken and compiled (bpf(2)).</summary>
public sealed unsafe class BpfProgram : IDisposable
{
    private const uint TakesFragments = 1 << 5; // BPF_F_XDP_HAS_FRAGS
    private const int LogLength = 1 << 22;

    private BpfProgram(Descriptor descriptor) => Descriptor = descriptor;

    /// <summary>The program's descriptor, owned by this object.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>The kernel's number of the program.</summary>
    public uint Id => BpfCalls.Describe<BpfCalls.ProgramInfo>(Descriptor).Id;

    /// <summary>Bytes of machine code that the kernel made of it.</summary>
    public int NativeLength => (int)BpfCalls.Describe<BpfCalls.ProgramInfo>(Descriptor).NativeLength;

    /// <summary>Instructions that the verifier followed, those on several ways counted on each: at most a million. Zero from a kernel before 5.16.</summary>
    public int VerifiedInstructions => (int)BpfCalls.Describe<BpfCalls.ProgramInfo>(Descriptor).VerifiedInstructions;

    /// <summary>Has the kernel verify and compile a program.</summary>
    /// <param name="kind">Where it is to run.</param>
    /// <param name="instructions">Its instructions, eight bytes each as in struct bpf_insn.</param>
    /// <param name="name">Shown by bpftool(8); 15 characters.</param>
    /// <param name="takesFragments">Whether an XDP program also takes frames of several buffers; a kernel before 5.18 refuses the flag.</param>
    /// <exception cref="BpfVerifierException">The verifier refuses it; its log is in the exception.</exception>
    /// <exception cref="LinuxException">The process lacks CAP_BPF and CAP_NET_ADMIN (EPERM).</exception>
    public static BpfProgram Load(BpfProgramKind kind, ReadOnlySpan<ulong> instructions, string name, bool takesFragments = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        fixed (ulong* first = instructions)
        fixed (byte* license = "MIT"u8)
        {
            var argument = new BpfCalls.ProgramArgument
            {
                Kind = (uint)kind,
                Count = (uint)instructions.Length,
                Instructions = first,
                License = license,
                Flags = takesFragments ? TakesFragments : 0,
                AttachKind = kind == BpfProgramKind.Xdp ? BpfCalls.AttachXdp : 0,
            };
            BpfCalls.WriteName(name, argument.Name);
            int number = BpfCalls.TryCall(BpfCalls.ProgramLoad, &argument);
            return number >= 0 ? new BpfProgram(new Descriptor(number)) : Refused(argument, name, LibC.errno);
        }
    }

    /// <summary>Takes a program that came from elsewhere.</summary>
    /// <param name="descriptor">Its descriptor; this object owns it from now on.</param>
    /// <exception cref="LinuxException">It is no program.</exception>
    public static BpfProgram Adopt(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        BpfCalls.CheckKind(descriptor, "bpf-prog");
        return new BpfProgram(descriptor);
    }

    /// <summary>Runs the program on a frame, here and now (BPF_PROG_TEST_RUN): nothing is redirected, dropped or passed on.</summary>
    /// <param name="frame">The frame, at least 14 bytes.</param>
    /// <param name="repeat">How often, for <see cref="BpfTestResult.Nanoseconds"/>.</param>
    /// <exception cref="LinuxException">The frame is shorter or longer than the kernel takes (EINVAL).</exception>
    public BpfTestResult TestRun(ReadOnlySpan<byte> frame, int repeat = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(repeat);
        fixed (byte* input = frame)
        {
            var argument = new BpfCalls.TestArgument { Program = Descriptor.Number, Input = input, InputLength = (uint)frame.Length, Repeat = (uint)repeat };
            BpfCalls.Call(BpfCalls.ProgramTestRun, &argument, "bpf(BPF_PROG_TEST_RUN)");
            return new BpfTestResult(argument.Result, argument.Duration);
        }
    }

    /// <summary>Closes the descriptor; a link that runs the program keeps it.</summary>
    public void Dispose() => Descriptor.Dispose();

    // Asks again for the log, which costs time that a program that is taken need not spend.
    private static BpfProgram Refused(BpfCalls.ProgramArgument argument, string name, int errno)
    {
        if (errno == LibC.EPERM)
        {
            throw new LinuxException($"bpf(BPF_PROG_LOAD, {name})", errno);
        }

        byte[] log = GC.AllocateUninitializedArray<byte>(LogLength);
        fixed (byte* start = log)
        {
            start[0] = 0;
            argument.LogLevel = 1;
            argument.LogLength = LogLength;
            argument.Log = start;
            int number = BpfCalls.TryCall(BpfCalls.ProgramLoad, &argument);
            if (number >= 0)
            {
                return new BpfProgram(new Descriptor(number)); // The cause has gone, such as a lack of memory.
            }
        }

        throw new BpfVerifierException(name, errno, BpfCalls.ReadText(log).Trim());
    }
}
