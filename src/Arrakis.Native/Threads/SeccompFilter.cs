using System.Runtime.InteropServices;

namespace Arrakis.Native.Threads;

/// <summary>A filter of system calls for one thread (seccomp(2)): what is not allowed kills the process.</summary>
public static unsafe class SeccompFilter
{
    private const uint SetModeFilter = 1;
    private const uint GetActionAvailable = 2;
    private const uint ReturnKillProcess = 0x8000_0000;
    private const uint ReturnAllow = 0x7FFF_0000;
    private const ushort LoadWordAbsolute = 0x20; // BPF_LD | BPF_W | BPF_ABS
    private const ushort JumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    private const ushort Return = 0x06; // BPF_RET | BPF_K
    private const uint NumberOffset = 0; // seccomp_data.nr
    private const uint ArchitectureOffset = 4; // seccomp_data.arch
    private const uint ArchitectureX64 = 0xC000_003E;

    /// <summary>From here on, any system call of the calling thread, but those allowed, kills the process.</summary>
    /// <param name="allowed">Numbers of system calls that stay allowed.</param>
    public static void KillOnSystemCall(params ReadOnlySpan<int> allowed)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            throw new PlatformNotSupportedException("The filter knows the system call numbers of x86-64 only.");
        }

        // Besides its answer: code that runs for the first time is compiled, which takes system calls. All that runs after
        // the filter is in force has run here before.
        uint action = ReturnKillProcess;
        Call(GetActionAvailable, &action);
        LinuxException.ThrowIfNegative(LibcExtra.Prctl(LibcExtra.PrSetNoNewPrivileges, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)");
        int length = 4 + allowed.Length * 2 + 1;
        Instruction* program = stackalloc Instruction[length];
        int at = 0;
        program[at++] = new(LoadWordAbsolute, 0, 0, ArchitectureOffset);
        program[at++] = new(JumpIfEqual, 1, 0, ArchitectureX64);
        program[at++] = new(Return, 0, 0, ReturnKillProcess);
        program[at++] = new(LoadWordAbsolute, 0, 0, NumberOffset);
        foreach (int number in allowed)
        {
            program[at++] = new(JumpIfEqual, 0, 1, (uint)number);
            program[at++] = new(Return, 0, 0, ReturnAllow);
        }

        program[at] = new(Return, 0, 0, ReturnKillProcess);
        Program filter = new() { Length = (ushort)length, Instructions = program };
        Call(SetModeFilter, &filter);
    }

    private static void Call(uint operation, void* argument) =>
        LinuxException.ThrowIfNegative(LibcExtra.Syscall((nint)LibcExtra.SysSeccomp, (nint)operation, 0, (nint)argument, 0, 0), "seccomp");

    /// <summary>struct sock_filter.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Instruction(ushort code, byte whenTrue, byte whenFalse, uint operand)
    {
        public readonly ushort Code = code;
        public readonly byte WhenTrue = whenTrue;
        public readonly byte WhenFalse = whenFalse;
        public readonly uint Operand = operand;
    }

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public Instruction* Instructions;
    }
}
