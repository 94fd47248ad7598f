using Tmds.Linux;

namespace Arrakis.Native.Bpf;

/// <summary>Where in the receive path an XDP program runs.</summary>
public enum XdpMode
{
    /// <summary>In the driver where it can do that, otherwise as <see cref="Generic"/>.</summary>
    Best = 0,

    /// <summary>After the kernel has made an sk_buff: any interface, slower (XDP_FLAGS_SKB_MODE).</summary>
    Generic = 2,

    /// <summary>In the driver (XDP_FLAGS_DRV_MODE).</summary>
    Driver = 4,
}

/// <summary>
/// An XDP program at a network interface. The link ends, and no program is left at the interface, when the last descriptor of it is
/// closed, whoever holds that: a process that is killed leaves nothing behind.
/// </summary>
public sealed unsafe class XdpLink : IDisposable
{
    private const uint LinkKind = 6; // BPF_LINK_TYPE_XDP
    private const uint OnlyInPlaceOf = 4; // BPF_F_REPLACE

    private XdpLink(Descriptor descriptor) => Descriptor = descriptor;

    /// <summary>The link's descriptor, owned by this object.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>The kernel's number of the link.</summary>
    public uint Id => Info.Id;

    /// <summary>The kernel's number of the program that runs.</summary>
    public uint ProgramId => Info.Program;

    /// <summary>The interface's index; zero where the interface is gone.</summary>
    public int InterfaceIndex => (int)Info.Interface;

    private BpfCalls.LinkInfo Info => BpfCalls.Describe<BpfCalls.LinkInfo>(Descriptor);

    /// <summary>Puts a program at an interface.</summary>
    /// <param name="program">The program.</param>
    /// <param name="interfaceIndex">The interface, in this thread's network namespace.</param>
    /// <param name="mode">Where it is to run.</param>
    /// <exception cref="LinuxException">Another program is there (EBUSY), the driver cannot (EOPNOTSUPP), there is no such interface (ENODEV), or the kernel is older than 5.9 (EINVAL).</exception>
    public static XdpLink Attach(BpfProgram program, int interfaceIndex, XdpMode mode = XdpMode.Best)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(interfaceIndex);
        var argument = new BpfCalls.LinkArgument { Program = program.Descriptor.Number, Interface = interfaceIndex, AttachKind = BpfCalls.AttachXdp, Flags = (uint)mode };
        int number = BpfCalls.Call(BpfCalls.LinkCreate, &argument, $"bpf(BPF_LINK_CREATE, interface {interfaceIndex})");
        return new XdpLink(new Descriptor(number));
    }

    /// <summary>Takes a link that came from elsewhere, such as from an earlier process.</summary>
    /// <param name="descriptor">Its descriptor; this object owns it from now on.</param>
    /// <exception cref="LinuxException">It is no link of XDP.</exception>
    public static XdpLink Adopt(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        BpfCalls.CheckKind(descriptor, "bpf_link");
        return BpfCalls.Describe<BpfCalls.LinkInfo>(descriptor).Kind == LinkKind
            ? new XdpLink(descriptor)
            : throw new LinuxException("taking a descriptor as a link of XDP", LibC.EINVAL);
    }

    /// <summary>Puts another program in the place of the one that runs, in one step: each frame is seen by one of them.</summary>
    /// <param name="program">The program from now on.</param>
    /// <param name="expected">The program that must be running for it, or null where it may be any.</param>
    /// <exception cref="LinuxException">Another program than expected runs (EPERM), or the interface is gone (ENOLINK).</exception>
    public void Replace(BpfProgram program, BpfProgram? expected = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        var argument = new BpfCalls.LinkUpdateArgument
        {
            Link = Descriptor.Number,
            NewProgram = program.Descriptor.Number,
            Flags = expected is null ? 0 : OnlyInPlaceOf,
            OldProgram = expected?.Descriptor.Number ?? 0,
        };
        BpfCalls.Call(BpfCalls.LinkUpdate, &argument, "bpf(BPF_LINK_UPDATE)");
    }

    /// <summary>Takes the program off the interface, whoever else holds the link.</summary>
    /// <exception cref="LinuxException">The kernel is older than 5.10.</exception>
    public void Detach()
    {
        var argument = new BpfCalls.LinkDetachArgument { Link = Descriptor.Number };
        BpfCalls.Call(BpfCalls.LinkDetach, &argument, "bpf(BPF_LINK_DETACH)");
    }

    /// <summary>Closes the descriptor; if it is the last, the program is taken off the interface.</summary>
    public void Dispose() => Descriptor.Dispose();
}
