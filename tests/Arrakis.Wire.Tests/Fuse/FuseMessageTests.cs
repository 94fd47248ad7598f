using System.Buffers.Binary;
using System.Text;
using Arrakis.Wire.Fuse;

namespace Arrakis.Wire.Tests.Fuse;

/// <summary>Places of members are those of the structures in linux/fuse.h (7.31).</summary>
public sealed class FuseMessageTests
{
    [Fact]
    public void A_request_says_what_is_asked_by_whom_of_which_node()
    {
        byte[] packet = new byte[FuseRequest.HeaderLength + 4];
        Put(packet, 0, (uint)packet.Length);
        Put(packet, 4, 1);
        packet[8] = 9;
        packet[16] = 3;
        Put(packet, 24, 1000);
        "own\0"u8.CopyTo(packet.AsSpan(40));
        Assert.True(FuseRequest.TryRead(packet, out FuseRequest request));
        Assert.Equal((FuseOpcode.Lookup, 9UL, 3UL, 1000u), (request.Opcode, request.Unique, request.Node, request.UserId));
        Assert.True(request.TryReadName(out ReadOnlySpan<byte> name));
        Assert.Equal("own", Encoding.ASCII.GetString(name));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(39, 39)]
    [InlineData(40, 41)]
    [InlineData(40, 39)]
    [InlineData(48, 40)]
    public void A_packet_whose_length_is_not_the_one_that_it_says_is_refused(int length, uint said)
    {
        byte[] packet = new byte[length];
        if (length >= 4)
        {
            Put(packet, 0, said);
        }

        Assert.False(FuseRequest.TryRead(packet, out _));
    }

    [Fact]
    public void A_name_without_an_end_or_without_letters_is_refused()
    {
        foreach (byte[] body in (byte[][])[[], "own"u8.ToArray(), [0]])
        {
            byte[] packet = [.. new byte[FuseRequest.HeaderLength], .. body];
            Put(packet, 0, (uint)packet.Length);
            Assert.True(FuseRequest.TryRead(packet, out FuseRequest request));
            Assert.False(request.TryReadName(out _));
        }
    }

    [Fact]
    public void Bodies_are_read_at_their_places_and_refused_where_they_are_short()
    {
        byte[] body = [.. Enumerable.Range(0, 88).Select(static i => (byte)i)];
        Assert.True(FuseInitialize.TryRead(body, out FuseInitialize initialize));
        Assert.Equal(new FuseInitialize(0x03020100, 0x07060504, 0x0B0A0908, (FuseFeatures)0x0F0E0D0C), initialize);
        Assert.True(FuseTransfer.TryRead(body, out FuseTransfer transfer));
        Assert.Equal(new FuseTransfer(0x0706050403020100, 0x0F0E0D0C0B0A0908, 0x13121110), transfer);
        Assert.True(FuseSetAttributes.TryRead(body, out FuseSetAttributes attributes));
        Assert.Equal(new FuseSetAttributes((FuseAttributeChanges)0x03020100, 0x1716151413121110), attributes);
        Assert.True(FuseAllocate.TryRead(body, out FuseAllocate allocate));
        Assert.Equal(new FuseAllocate(0x0706050403020100, 0x0F0E0D0C0B0A0908, 0x1716151413121110, 0x1B1A1918), allocate);

        Assert.False(FuseInitialize.TryRead(body.AsSpan(0, 15), out _));
        Assert.False(FuseTransfer.TryRead(body.AsSpan(0, 39), out _));
        Assert.False(FuseSetAttributes.TryRead(body.AsSpan(0, 87), out _));
        Assert.False(FuseAllocate.TryRead(body.AsSpan(0, 31), out _));
    }

    [Fact]
    public void A_reply_has_its_requests_number_its_length_and_an_error_as_a_negative_number()
    {
        byte[] buffer = new byte[FuseReply.MinBufferLength];
        Assert.Equal(16, new FuseReply(buffer, 0x1122334455667788).Error(13));
        Assert.Equal((16, -13, 0x1122334455667788UL), (Get(buffer, 0), Get(buffer, 4), BinaryPrimitives.ReadUInt64LittleEndian(buffer.AsSpan(8))));
        Assert.Equal(21, new FuseReply(buffer, 1).Done(5));
        Assert.Equal((21, 0), (Get(buffer, 0), Get(buffer, 4)));
    }

    [Fact]
    public void Attributes_are_at_their_places_whatever_the_buffer_held()
    {
        byte[] buffer = new byte[FuseReply.MinBufferLength];
        buffer.AsSpan().Fill(0xFF);
        var attributes = new FuseAttributes(7, 1025, FuseAttributes.RegularFile | 0x180, 1, 1000, 99, 4096);
        Assert.Equal(16 + 16 + 88, new FuseReply(buffer, 1).Attributes(attributes));
        Assert.Equal([7, 0, 1025, 0, 3, 0, 99, 0, 99, 0, 99, 0, 0, 0, 0, 0x8180, 1, 1000, 0, 0, 4096, 0], Enumerable.Range(0, 22).Select(i => Get(buffer, 32 + 4 * i)));
        Assert.Equal(16 + 40 + 88, new FuseReply(buffer, 1).Entry(attributes));
        Assert.Equal((7, 7, 0x8180), (Get(buffer, 16), Get(buffer, 56), Get(buffer, 56 + 60)));
    }

    [Fact]
    public void Other_replies_have_the_lengths_of_their_structures()
    {
        byte[] buffer = new byte[FuseReply.MinBufferLength];
        Assert.Equal(16 + 64, new FuseReply(buffer, 1).Initialize(FuseFeatures.MaxPages, 4096, 1 << 20, 256));
        Assert.Equal((7, 31, 4096, 1 << 22, 1 << 20, 256), (Get(buffer, 16), Get(buffer, 20), Get(buffer, 24), Get(buffer, 28), Get(buffer, 36), Get(buffer, 44) & 0xFFFF));
        Assert.Equal(16 + 16, new FuseReply(buffer, 1).Opened(5, isDirect: true));
        Assert.Equal((5, 1), (Get(buffer, 16), Get(buffer, 24)));
        Assert.Equal(16 + 8, new FuseReply(buffer, 1).Written(77));
        Assert.Equal(77, Get(buffer, 16));
        Assert.Equal(16 + 80, new FuseReply(buffer, 1).Statistics(100, 4096, 3, 63));
        Assert.Equal((100, 0, 3, 4096, 63, 4096), (Get(buffer, 16), Get(buffer, 24), Get(buffer, 40), Get(buffer, 56), Get(buffer, 60), Get(buffer, 64)));
    }

    [Theory]
    [InlineData("a", 32)]
    [InlineData("12345678", 32)]
    [InlineData("123456789", 40)]
    public void A_folders_entry_is_filled_up_to_eight_bytes_and_left_out_where_it_does_not_fit(string name, int expected)
    {
        byte[] buffer = new byte[64];
        Assert.Equal(expected, FuseReply.WriteFolderEntry(buffer, 7, 3, FuseAttributes.RegularFile, name));
        Assert.Equal((7, 3, name.Length, 8), (Get(buffer, 0), Get(buffer, 8), Get(buffer, 16), Get(buffer, 20))); // DT_REG
        Assert.Equal(name, Encoding.ASCII.GetString(buffer, 24, name.Length));
        Assert.Equal(0, FuseReply.WriteFolderEntry(buffer.AsSpan(0, expected - 1), 7, 3, FuseAttributes.RegularFile, name));
    }

    private static void Put(byte[] to, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(to.AsSpan(at), value);

    private static int Get(byte[] from, int at) => BinaryPrimitives.ReadInt32LittleEndian(from.AsSpan(at));
}
