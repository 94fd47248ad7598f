using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Bpf;

/// <summary>The commands of bpf(2) with their arguments (linux/bpf.h), of which no C library has declarations.</summary>
internal static unsafe class BpfCalls
{
    internal const int MapCreate = 0;
    internal const int MapLookup = 1;
    internal const int MapUpdate = 2;
    internal const int MapDelete = 3;
    internal const int ProgramLoad = 5;
    internal const int ProgramTestRun = 10;
    internal const int ObjectInfo = 15;
    internal const int LinkCreate = 28;
    internal const int LinkUpdate = 29;
    internal const int LinkDetach = 34;

    internal const int NameLength = 16; // BPF_OBJ_NAME_LEN
    internal const uint AttachXdp = 37; // BPF_XDP

    /// <summary>Makes a call; a negative result leaves its cause in errno.</summary>
    internal static int TryCall<TArgument>(int command, TArgument* argument)
        where TArgument : unmanaged =>
        (int)LibcExtra.Syscall((nint)LibcExtra.SysBpf, command, (nint)argument, sizeof(TArgument), 0, 0);

    /// <summary>Makes a call; the result is not negative.</summary>
    /// <exception cref="LinuxException">It failed.</exception>
    internal static int Call<TArgument>(int command, TArgument* argument, string name)
        where TArgument : unmanaged
    {
        int result = TryCall(command, argument);
        LinuxException.ThrowIfNegative(result, name);
        return result;
    }

    /// <summary>Describes what a descriptor stands for: BPF_OBJ_GET_INFO_BY_FD. What an older kernel does not know stays zero.</summary>
    internal static TInfo Describe<TInfo>(Descriptor descriptor)
        where TInfo : unmanaged
    {
        TInfo info = default;
        var argument = new InfoArgument { Descriptor = descriptor.Number, Length = (uint)sizeof(TInfo), Info = &info };
        Call(ObjectInfo, &argument, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
        return info;
    }

    /// <summary>Refuses a descriptor of anything else: what the kernel says of a map, a program and a link looks alike.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="kind">"bpf-map", "bpf-prog" or "bpf_link", as in /proc/self/fd.</param>
    /// <exception cref="LinuxException">It is no such object.</exception>
    internal static void CheckKind(Descriptor descriptor, string kind)
    {
        if (File.ResolveLinkTarget($"/proc/self/fd/{descriptor.Number}", returnFinalTarget: false)?.Name != $"anon_inode:{kind}")
        {
            throw new LinuxException($"taking a descriptor as {kind}", LibC.EINVAL);
        }
    }

    /// <summary>Writes a name as the kernel takes it: letters, digits, points and underscores, 15 of them.</summary>
    internal static void WriteName(string name, byte* destination)
    {
        int length = Math.Min(name.Length, NameLength - 1);
        for (int i = 0; i < length; i++)
        {
            destination[i] = char.IsAsciiLetterOrDigit(name[i]) || name[i] == '.' ? (byte)name[i] : (byte)'_';
        }
    }

    internal static string ReadText(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? text : text[..end]);
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct MapArgument
    {
        public uint Kind;
        public uint KeyLength;
        public uint ValueLength;
        public uint Entries;
        public uint Flags;
        public int InnerMap;
        public uint NumaNode;
        public fixed byte Name[NameLength];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct ElementArgument
    {
        public int Map;
        public uint Padding;
        public byte* Key;
        public byte* Value;
        public ulong Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct ProgramArgument
    {
        public uint Kind;
        public uint Count;
        public ulong* Instructions;
        public byte* License;
        public uint LogLevel;
        public uint LogLength;
        public byte* Log;
        public uint KernelVersion;
        public uint Flags;
        public fixed byte Name[NameLength];
        public uint Interface;
        public uint AttachKind;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct TestArgument
    {
        public int Program;
        public uint Result;
        public uint InputLength;
        public uint OutputLength;
        public byte* Input;
        public byte* Output;
        public uint Repeat;
        public uint Duration; // nanoseconds, the average of the repetitions
        public uint ContextInputLength;
        public uint ContextOutputLength;
        public byte* ContextInput;
        public byte* ContextOutput;
        public uint Flags;
        public uint Processor;
        public uint BatchSize;
        public uint Padding;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct InfoArgument
    {
        public int Descriptor;
        public uint Length;
        public void* Info;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LinkArgument
    {
        public int Program;
        public int Interface;
        public uint AttachKind;
        public uint Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LinkUpdateArgument
    {
        public int Link;
        public int NewProgram;
        public uint Flags;
        public int OldProgram;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LinkDetachArgument
    {
        public int Link;
    }

    /// <summary>struct bpf_prog_info.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 224)]
    internal struct ProgramInfo
    {
        [FieldOffset(0)]
        public uint Kind;
        [FieldOffset(4)]
        public uint Id;
        [FieldOffset(16)]
        public uint NativeLength;
        [FieldOffset(20)]
        public uint TranslatedLength;
        [FieldOffset(64)]
        public fixed byte Name[NameLength];
        [FieldOffset(216)]
        public uint VerifiedInstructions;
    }

    /// <summary>struct bpf_map_info, its first part.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct MapInfo
    {
        public uint Kind;
        public uint Id;
        public uint KeyLength;
        public uint ValueLength;
        public uint Entries;
        public uint Flags;
        public fixed byte Name[NameLength];
    }

    /// <summary>struct bpf_link_info of an XDP link.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct LinkInfo
    {
        public uint Kind;
        public uint Id;
        public uint Program;
        public uint Padding;
        public uint Interface;
        public uint Reserved;
    }
}
