using System.Net;
using System.Net.Sockets;
using Arrakis.Native.Bpf;
using Arrakis.Native.Net;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class BpfTests
{
    private const ulong Exit = 0x95;
    private const uint Drop = 1;
    private const uint Pass = 2;

    private static readonly byte[] s_frame = new byte[64];
    private static readonly ulong[] s_readPastTheEnd = [0x0000_0000_0001_1061, 0x0000_0000_0000_1061, Exit]; // r0 = *(u32 *)(r1 + 0x1000...)

    [Fact]
    public void A_map_gives_back_what_was_written_until_it_is_removed()
    {
        using BpfMap map = BpfMap.Create(BpfMapKind.Hash, 2, 8, 4, "test");
        byte[] value = new byte[8];

        Assert.False(map.TryRead([1, 0], value));
        map.Write([1, 0], [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.True(map.TryRead([1, 0], value));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], value);
        Assert.Equal(17, Assert.Throws<LinuxException>(() => map.Write([1, 0], value, BpfUpdate.Create)).Errno);
        Assert.Equal(2, Assert.Throws<LinuxException>(() => map.Write([2, 0], value, BpfUpdate.Replace)).Errno);
        Assert.True(map.Remove([1, 0]));
        Assert.False(map.Remove([1, 0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryRead([1], value));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryRead([1, 0], value.AsSpan(0, 7)));
    }

    [Fact]
    public void A_map_of_sockets_takes_no_other_descriptor()
    {
        using BpfMap map = BpfMap.CreateForXdpSockets(4, "sockets");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var descriptor = new Descriptor(LibC.dup((int)socket.Handle));

        Assert.Equal(LibC.EOPNOTSUPP, Assert.Throws<LinuxException>(() => map.Write(0, descriptor)).Errno);
    }

    [Fact]
    public void A_map_that_came_from_elsewhere_knows_its_measures()
    {
        using BpfMap made = BpfMap.Create(BpfMapKind.Array, 4, 16, 3, "test");
        using BpfMap adopted = BpfMap.Adopt(made.Descriptor.Duplicate());

        Assert.Equal((BpfMapKind.Array, 4, 16, 3, made.Id), (adopted.Kind, adopted.KeyLength, adopted.ValueLength, adopted.Entries, adopted.Id));
    }

    [Fact]
    public void A_program_runs_on_a_frame()
    {
        using BpfProgram program = Returning(Drop);

        BpfTestResult result = program.TestRun(s_frame, repeat: 1000);

        Assert.Equal(Drop, result.Result);
        Assert.True(program.NativeLength > 0);
        Assert.Equal(2, program.VerifiedInstructions);
        Assert.Equal(LibC.EINVAL, Assert.Throws<LinuxException>(() => program.TestRun(new byte[13])).Errno);
    }

    [Fact]
    public void A_program_that_reads_what_it_must_not_is_refused_with_the_verifiers_log()
    {
        BpfVerifierException refused = Assert.Throws<BpfVerifierException>(() => BpfProgram.Load(BpfProgramKind.Xdp, s_readPastTheEnd, "hostile"));

        Assert.Equal(LibC.EACCES, refused.Errno);
        Assert.Contains("invalid bpf_context access", refused.Log, StringComparison.Ordinal);
        Assert.Contains("'hostile'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("invalid bpf_context access", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_that_does_not_end_or_is_empty_is_refused()
    {
        Assert.Equal(LibC.EINVAL, Assert.Throws<BpfVerifierException>(() => BpfProgram.Load(BpfProgramKind.Xdp, [0x0000_0000_FFFF_0005], "loop")).Errno);
        Assert.Equal("", Assert.Throws<BpfVerifierException>(() => BpfProgram.Load(BpfProgramKind.Xdp, [], "empty")).Log);
    }

    [Fact]
    public void A_link_decides_for_the_interface_until_its_last_descriptor_is_closed() => InNamespace(() =>
    {
        using BpfProgram drop = Returning(Drop);
        using BpfProgram pass = Returning(Pass);
        Assert.True(Reaches());

        XdpLink link = XdpLink.Attach(drop, 1, XdpMode.Generic);
        Assert.Equal((1, drop.Id), (link.InterfaceIndex, link.ProgramId));
        Assert.False(Reaches());
        Assert.Equal(LibC.EBUSY, Assert.Throws<LinuxException>(() => XdpLink.Attach(pass, 1, XdpMode.Generic)).Errno);

        link.Replace(pass, expected: drop);
        Assert.True(Reaches());
        Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => link.Replace(drop, expected: drop)).Errno);
        link.Replace(drop);

        XdpLink adopted = XdpLink.Adopt(link.Descriptor.Duplicate());
        Assert.Equal(link.Id, adopted.Id);
        link.Dispose();
        Assert.False(Reaches());
        adopted.Dispose();
        Assert.True(Reaches());
    });

    [Fact]
    public void A_link_that_is_detached_decides_no_more_whoever_holds_it() => InNamespace(() =>
    {
        using BpfProgram drop = Returning(Drop);
        using XdpLink link = XdpLink.Attach(drop, 1, XdpMode.Generic);

        link.Detach();

        Assert.True(Reaches());
        Assert.Equal(0, link.InterfaceIndex);
        Assert.Equal(LibC.ENOLINK, Assert.Throws<LinuxException>(() => link.Replace(drop)).Errno);
    });

    [Fact]
    public void What_is_something_else_is_not_adopted()
    {
        using BpfMap map = BpfMap.Create(BpfMapKind.Array, 4, 4, 1, "test");
        using BpfProgram program = Returning(Pass);

        Assert.Throws<LinuxException>(() => XdpLink.Adopt(program.Descriptor));
        Assert.Throws<LinuxException>(() => BpfProgram.Adopt(map.Descriptor));
        Assert.Throws<LinuxException>(() => BpfMap.Adopt(program.Descriptor));
        Assert.Equal(program.Id, BpfProgram.Adopt(program.Descriptor).Id);
    }

    [Fact]
    public void Nothing_leaves_a_descriptor() => OpenDescriptors.AssertNoneLeft(static () =>
    {
        using BpfMap map = BpfMap.Create(BpfMapKind.Array, 4, 4, 1, "test");
        using BpfProgram program = Returning(Pass);
        try
        {
            BpfProgram.Load(BpfProgramKind.Xdp, s_readPastTheEnd, "hostile").Dispose();
        }
        catch (BpfVerifierException)
        {
        }
    });

    private static BpfProgram Returning(uint action) => BpfProgram.Load(BpfProgramKind.Xdp, [(ulong)action << 32 | 0xB7, Exit], "test");

    // Whether a datagram comes over the loopback interface of this thread's network namespace. The receive path of loopback runs in the
    // sender's own call, so what is not there then was dropped.
    private static bool Reaches()
    {
        using var receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var sender = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        receiver.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        sender.SendTo(new byte[4], receiver.LocalEndPoint!);
        return receiver.Poll(TimeSpan.FromMilliseconds(100), SelectMode.SelectRead);
    }

    // Runs a test on a thread in a network namespace of its own, which ends with the thread.
    private static void InNamespace(Action test)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            failure = Record.Exception(() =>
            {
                LinuxException.ThrowIfNegative(LibC.unshare(LibC.CLONE_NEWNET), "unshare(CLONE_NEWNET)");
                TapInterface.SetUp("lo");
                test();
            });
        });
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }
}
