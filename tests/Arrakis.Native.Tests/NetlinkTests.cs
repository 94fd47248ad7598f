using System.Buffers.Binary;
using System.Globalization;
using Arrakis.Native.Net;
using CsCheck;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class NetlinkTests
{
    private const ushort NewLink = 16;
    private const ushort Acknowledge = 0x04;
    private const ushort FunctionList = 22;
    private const ushort FunctionInfo = 1;

    [Fact]
    public void A_request_has_the_kernels_layout()
    {
        byte[] message = new NetlinkRequest(19, 0)
            .Append(0, 5)
            .AddName(3, "eth0")
            .AddNested(22, static list => list.AddWords(9, 7, 1))
            .Complete(0x01020304, Acknowledge)
            .ToArray();

        Assert.Equal(
            "34000000" + "1300" + "0500" + "04030201" + "00000000" // length 52, type, NLM_F_REQUEST and NLM_F_ACK, sequence, port
            + "00000000" + "05000000"
            + "0900" + "0300" + "65746830" + "00000000" // five octets, padded to eight
            + "1000" + "1600" + "0C00" + "0900" + "07000000" + "01000000",
            Convert.ToHexString(message));
    }

    [Fact]
    public void A_description_of_virtual_functions_is_read()
    {
        LinkState link = LinkState.Parse(Description());

        Assert.Equal((5, "eth0", true), (link.Index, link.Name, link.IsUp));
        Assert.Equal("525400000001", Convert.ToHexString(link.HardwareAddress));
        Assert.Equal([0u, 1u], link.VirtualFunctions.Select(static function => function.Index));
        VirtualFunctionState second = link.VirtualFunctions[1];
        Assert.Equal("525400000002", Convert.ToHexString(second.HardwareAddress));
        Assert.Equal((100u, 3u, true, null), (second.Vlan, second.VlanPriority, second.SpoofCheck, second.Trusted));
        Assert.Equal((0u, 250u), (second.MinRate, second.MaxRate));
    }

    [Fact]
    public void A_description_that_is_cut_off_anywhere_is_read_in_part_or_refused()
    {
        byte[] whole = Description();
        int refused = Enumerable.Range(0, whole.Length).Count(length => Record.Exception(() => LinkState.Parse(whole.AsSpan(0, length))) switch
        {
            null => false,
            NetlinkException => true,
            Exception other => throw other,
        });

        Assert.True(refused > whole.Length / 2, $"{refused} of {whole.Length} were refused.");
    }

    [Fact]
    public void Octets_of_a_hostile_sender_are_read_or_refused_and_nothing_else()
    {
        byte[] whole = Description();
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).Sample(
            (first, one, second, other, length) =>
            {
                byte[] mutated = whole[..length];
                if (first < length)
                {
                    mutated[first] = one;
                }

                if (second < length)
                {
                    mutated[second] = other;
                }

                return Record.Exception(() => LinkState.Parse(mutated)) is null or NetlinkException;
            },
            seed: "0000000000001",
            iter: 50_000,
            threads: 1);
    }

    [Fact]
    public void Answers_of_any_octets_are_found_or_refused_and_nothing_else() =>
        Gen.Byte.Array[0, 80].Sample(
            octets =>
            {
                byte[] framed = [.. octets];
                if (framed.Length >= 16)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(framed, (uint)(framed[0] % (framed.Length + 4)));
                    framed[4] = (byte)(framed[4] % 4);
                    framed[5] = 0;
                    BinaryPrimitives.WriteUInt32LittleEndian(framed.AsSpan(8), 7);
                    if (framed.Length >= 20 && (framed[16] & 1) != 0)
                    {
                        BinaryPrimitives.WriteInt32LittleEndian(framed.AsSpan(16), -(framed[16] & 0x7f));
                    }
                }

                return Record.Exception(() => NetlinkAnswer.TryFind(framed, 7, "ask")) is null or NetlinkException or LinuxException;
            },
            seed: "0000000000001",
            iter: 100_000,
            threads: 1);

    [Fact]
    public void An_answer_is_found_behind_messages_of_other_requests()
    {
        byte[] other = new NetlinkRequest(NewLink, 0).Append(1).Complete(6).ToArray();
        byte[] mine = new NetlinkRequest(NewLink, 0).Append(2).Complete(7).ToArray();

        Assert.Equal([2, 0, 0, 0], NetlinkAnswer.TryFind([.. other, .. mine], 7, "ask"));
        Assert.Null(NetlinkAnswer.TryFind(other, 7, "ask"));
    }

    [Theory]
    [InlineData(0x300, 16)] // Of the request only the header is repeated.
    [InlineData(0x200, 24)]
    public void An_error_has_its_number_and_the_drivers_words(ushort flags, int repeated)
    {
        byte[] payload = new byte[4 + repeated];
        BinaryPrimitives.WriteInt32LittleEndian(payload, -LibC.EINVAL);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(4), 24);
        byte[] message = ErrorMessage(flags, payload, "no such rate");
        LinuxException fault = Assert.Throws<LinuxException>(() => NetlinkAnswer.TryFind(message, 7, "ask"));

        Assert.Equal(LibC.EINVAL, fault.Errno);
        Assert.Equal("ask (no such rate): Invalid argument (errno 22)", fault.Message);
    }

    [Fact]
    public void An_attribute_longer_than_its_length_field_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new NetlinkRequest(1, 0).AddNested(1, static list => list.Add(1, new byte[40_000]).Add(1, new byte[40_000])));

    [Fact]
    public void The_kernel_describes_its_loopback_interface()
    {
        using RouteNetlink netlink = RouteNetlink.Open();
        LinkState link = netlink.Read("lo");

        Assert.Equal(int.Parse(File.ReadAllText("/sys/class/net/lo/ifindex"), CultureInfo.InvariantCulture), link.Index);
        Assert.Equal("lo", link.Name);
        Assert.Equal(new byte[6], link.HardwareAddress);
        Assert.Empty(link.VirtualFunctions);
    }

    [Fact]
    public void The_kernel_refuses_by_number_what_an_interface_does_not_have()
    {
        using TapInterface tap = TapInterface.Create($"arrnl{Environment.ProcessId % 100_000}");
        using RouteNetlink netlink = RouteNetlink.Open();

        Assert.True(netlink.Read(tap.Name).IsUp);
        Assert.Equal(LibC.EOPNOTSUPP, Assert.Throws<LinuxException>(() => netlink.SetAddress(tap.Name, 0, [2, 0, 0, 0, 0, 1])).Errno);
        Assert.Equal(LibC.EOPNOTSUPP, Assert.Throws<LinuxException>(() => netlink.Set(tap.Name, 0, VirtualFunctionAttribute.Vlan, 5, 0)).Errno);
        Assert.Equal(LibC.ENODEV, Assert.Throws<LinuxException>(() => netlink.Read("nowhere0")).Errno);
        Assert.Throws<ArgumentException>(() => netlink.Read("a-name-that-is-too-long"));
        Assert.Equal("lo", netlink.Read("lo").Name); // The conversation goes on behind errors.
    }

    [Fact]
    public void A_conversation_leaves_no_descriptor() => OpenDescriptors.AssertNoneLeft(static () =>
    {
        using RouteNetlink netlink = RouteNetlink.Open();
        _ = netlink.Read("lo");
    });

    /// <summary>As the kernel describes a physical function with two virtual ones.</summary>
    private static byte[] Description() =>
        new NetlinkRequest(NewLink, 0)
            .Append(0, 5, 1, 0)
            .AddName(3, "eth0")
            .Add(1, [0x52, 0x54, 0, 0, 0, 1])
            .AddWords(21, 2)
            .AddNested(FunctionList, static list => list.AddNested(FunctionInfo, static info => Function(info, 0)).AddNested(FunctionInfo, static info => Function(info, 1)))
            .Complete(1)[16..]
            .ToArray();

    private static void Function(NetlinkRequest info, uint index)
    {
        byte[] address = new byte[36];
        BinaryPrimitives.WriteUInt32LittleEndian(address, index);
        new byte[] { 0x52, 0x54, 0, 0, 0, (byte)(index + 1) }.CopyTo(address, 4);
        _ = info.Add(1, address)
            .AddWords(2, index, 100, 3)
            .AddWords(6, index, 0, 250)
            .AddWords(4, index, 1)
            .AddWords(9, index, uint.MaxValue)
            .AddWords(5, index, 0);
    }

    private static byte[] ErrorMessage(ushort flags, byte[] payload, string text)
    {
        byte[] message = new NetlinkRequest(2, 0).Complete(7).ToArray();
        byte[] attribute = new NetlinkRequest(0, 0).AddName(1, text).Complete(0)[16..].ToArray();
        byte[] whole = [.. message, .. payload, .. attribute];
        BinaryPrimitives.WriteInt32LittleEndian(whole, whole.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(whole.AsSpan(6), flags);
        return whole;
    }
}
