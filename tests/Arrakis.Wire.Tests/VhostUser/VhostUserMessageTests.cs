using Arrakis.Wire.VhostUser;
using CsCheck;

namespace Arrakis.Wire.Tests.VhostUser;

public sealed class VhostUserMessageTests
{
    private static readonly Gen<VhostMemoryRegion> Region =
        Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong).Select((guest, size, user, offset) => new VhostMemoryRegion(guest, size, user, offset));

    [Fact]
    public void A_written_header_is_read_back() =>
        Gen.Select(Gen.UInt, Gen.Bool, Gen.Bool, Gen.UInt[0, VhostUserHeader.MaxPayload]).Sample(
            (request, reply, acknowledge, length) =>
            {
                uint flags = VhostUserHeader.Version | (reply ? VhostUserHeader.ReplyFlag : 0) | (acknowledge ? VhostUserHeader.NeedReplyFlag : 0);
                var header = new VhostUserHeader((VhostUserRequest)request, flags, length);
                byte[] bytes = new byte[VhostUserHeader.Length];
                header.Write(bytes);
                return VhostUserHeader.TryRead(bytes, out VhostUserHeader read) && read == header && read.IsReply == reply && read.NeedsReply == acknowledge;
            },
            seed: Seeds.Fixed);

    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(3u)]
    public void A_header_of_another_version_is_refused(uint version)
    {
        byte[] bytes = new byte[VhostUserHeader.Length];
        new VhostUserHeader(VhostUserRequest.GetFeatures, version, 0).Write(bytes);
        Assert.False(VhostUserHeader.TryRead(bytes, out _));
    }

    [Theory]
    [InlineData((uint)VhostUserHeader.MaxPayload + 1)]
    [InlineData(uint.MaxValue)]
    public void A_header_of_a_larger_payload_is_refused(uint length)
    {
        byte[] bytes = new byte[VhostUserHeader.Length];
        new VhostUserHeader(VhostUserRequest.GetFeatures, VhostUserHeader.Version, length).Write(bytes);
        Assert.False(VhostUserHeader.TryRead(bytes, out _));
    }

    [Fact]
    public void Ring_state_and_addresses_are_read_back()
    {
        Gen.Select(Gen.UInt, Gen.UInt).Sample(
            (index, value) =>
            {
                byte[] bytes = new byte[VringState.Length];
                new VringState(index, value).Write(bytes);
                return VringState.TryRead(bytes, out VringState read) && read == new VringState(index, value);
            },
            seed: Seeds.Fixed);
        Gen.Select(Gen.UInt, Gen.UInt, Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong).Sample(
            (index, flags, descriptor, used, available, log) =>
            {
                var address = new VringAddress(index, flags, descriptor, used, available, log);
                byte[] bytes = new byte[VringAddress.Length];
                address.Write(bytes);
                return VringAddress.TryRead(bytes, out VringAddress read) && read == address;
            },
            seed: Seeds.Fixed);
    }

    [Fact]
    public void A_memory_table_is_read_back() =>
        Region.Array[0, VhostUserHeader.MaxDescriptors].Sample(
            regions =>
            {
                byte[] bytes = new byte[VhostUserHeader.MaxPayload];
                int length = VhostMemoryRegion.WriteTable(bytes, regions);
                var read = new VhostMemoryRegion[VhostUserHeader.MaxDescriptors];
                return VhostMemoryRegion.TryReadTable(bytes.AsSpan(0, length), read, out int count)
                    && read.AsSpan(0, count).SequenceEqual(regions);
            },
            seed: Seeds.Fixed);

    [Theory]
    [InlineData(9u)]
    [InlineData(1u)]
    [InlineData(3u)]
    [InlineData(uint.MaxValue)]
    [InlineData(0x0800_0002u)] // times 32 wraps to 64
    public void A_count_that_does_not_match_the_payload_is_refused(uint announced)
    {
        byte[] bytes = new byte[VhostMemoryRegion.TableHeaderLength + 2 * VhostMemoryRegion.Length];
        BitConverter.TryWriteBytes(bytes, announced);
        Assert.False(VhostMemoryRegion.TryReadTable(bytes, new VhostMemoryRegion[VhostUserHeader.MaxDescriptors], out int count));
        Assert.Equal(0, count);
    }

    [Fact]
    public void More_regions_than_there_is_room_for_are_refused()
    {
        byte[] bytes = new byte[VhostMemoryRegion.TableHeaderLength + 2 * VhostMemoryRegion.Length];
        VhostMemoryRegion.WriteTable(bytes, new VhostMemoryRegion[2]);
        Assert.False(VhostMemoryRegion.TryReadTable(bytes, new VhostMemoryRegion[1], out _));
    }

    [Fact]
    public void Random_bytes_never_throw() =>
        Gen.Byte.Array[0, 300].Sample(
            bytes =>
            {
                _ = VhostUserHeader.TryRead(bytes, out _);
                Assert.Equal(bytes.Length == VringState.Length, VringState.TryRead(bytes, out _));
                Assert.Equal(bytes.Length == VringAddress.Length, VringAddress.TryRead(bytes, out _));
                _ = VhostMemoryRegion.TryReadTable(bytes, new VhostMemoryRegion[VhostUserHeader.MaxDescriptors], out _);
            },
            seed: Seeds.Fixed,
            iter: 10_000);
}
