using Arrakis.Wire.Virtio;

namespace Arrakis.Wire.Tests.Virtio;

public sealed class VirtioBlockTests
{
    [Fact]
    public void A_configuration_space_is_where_the_specification_says()
    {
        var config = new VirtioBlockConfig
        {
            Capacity = 0x0102030405060708,
            SizeMax = 0x11121314,
            SegmentMax = 0x21222324,
            BlockSize = 4096,
            Writeback = true,
            QueueCount = 0x3132,
            MaxDiscardSectors = 0x41424344,
            MaxDiscardSegments = 0x51525354,
            DiscardAlignment = 8,
            MaxWriteZeroesSectors = 0x61626364,
            MaxWriteZeroesSegments = 0x71727374,
            WriteZeroesMayUnmap = true,
        };
        byte[] bytes = new byte[VirtioBlockConfig.Length];
        bytes.AsSpan().Fill(0xFF);
        config.Write(bytes);

        // capacity; size_max; seg_max; geometry; blk_size; topology; writeback, unused, num_queues; discard; write zeroes.
        Assert.Equal(
            "0807060504030201" + "14131211" + "24232221" + "00000000" + "00100000" + "0000000000000000" + "01003231"
            + "44434241" + "54535251" + "08000000" + "64636261" + "74737271" + "01000000",
            Convert.ToHexString(bytes));
        Assert.Equal(config, VirtioBlockConfig.Read(bytes));
    }

    [Fact]
    public void A_request_is_where_the_specification_says()
    {
        var request = new VirtioBlockRequest(VirtioBlockType.Write, 0x1122334455667788);
        byte[] bytes = new byte[VirtioBlockRequest.HeaderLength];
        bytes.AsSpan().Fill(0xFF);
        request.Write(bytes);
        Assert.Equal("01000000000000008877665544332211", Convert.ToHexString(bytes));
        Assert.Equal(request, VirtioBlockRequest.Read(bytes));
    }

    [Fact]
    public void A_segment_is_where_the_specification_says()
    {
        var segment = new VirtioBlockSegment(0x1122334455667788, 0xAABBCCDD, VirtioBlockSegment.Unmap);
        byte[] bytes = new byte[VirtioBlockSegment.Length];
        segment.Write(bytes);
        Assert.Equal("8877665544332211DDCCBBAA01000000", Convert.ToHexString(bytes));
        Assert.Equal(segment, VirtioBlockSegment.Read(bytes));
    }
}
