using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Devices.VhostUser;

/// <summary>Where a device goes on in a ring that another one has begun, read from the ring alone.</summary>
public sealed class RingPositionTests
{
    private const int Size = 8;
    private const ushort Both = DescriptorFlags.Available | DescriptorFlags.Used;

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(0x8000)]
    [InlineData(0xFFFF)]
    public void A_split_ring_goes_on_at_its_used_index(int index)
    {
        using var ring = new Ring(RingFormat.Split);
        ring.Write(ring.Layout.DeviceArea + SplitFormat.IndexOffset, (ushort)index);
        Assert.Equal((ushort)index, RingPosition.Read(ring.Memory, ring.Layout, VirtioFeatures.Version1));
    }

    [Fact]
    public void A_new_packed_ring_begins_at_its_first_descriptor_in_the_first_round()
    {
        using var ring = new Ring(RingFormat.Packed);
        Assert.Equal(PackedFormat.WrapBit, ring.Read(inOrder: false));
        ring.MakeAvailable(0, Size, wrap: true);
        Assert.Equal(PackedFormat.WrapBit, ring.Read(inOrder: false));
        Assert.Equal(PackedFormat.WrapBit, ring.Read(inOrder: true));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_packed_ring_goes_on_past_what_is_used_already(bool inOrder)
    {
        using var ring = new Ring(RingFormat.Packed);
        ring.MakeAvailable(0, Size, wrap: true);
        for (int used = 1; used < Size; used++)
        {
            ring.Use(used - 1, id: used - 1, wrap: true);
            Assert.Equal(used | PackedFormat.WrapBit, ring.Read(inOrder));
        }

        ring.Use(Size - 1, id: Size - 1, wrap: true);
        Assert.Equal(0, ring.Read(inOrder)); // All of the first round: the second begins.
    }

    [Fact]
    public void What_the_driver_has_taken_already_is_not_looked_at_again()
    {
        using var ring = new Ring(RingFormat.Packed);
        ring.MakeAvailable(0, Size, wrap: true);
        ring.Use(0, 0, wrap: true);
        ring.Use(1, 1, wrap: true);
        ring.Note(2, wrap: true);
        ring.MakeAvailable(0, 2, wrap: false); // Again, for the second round.
        Assert.Equal(2 | PackedFormat.WrapBit, ring.Read(inOrder: false));
        ring.Use(2, 2, wrap: true);
        Assert.Equal(3 | PackedFormat.WrapBit, ring.Read(inOrder: false));
    }

    [Fact]
    public void The_wrap_counter_changes_at_the_rings_end()
    {
        using var ring = new Ring(RingFormat.Packed);
        ring.MakeAvailable(0, Size, wrap: true);
        ring.Use(6, 6, wrap: true);
        ring.Use(7, 7, wrap: true);
        ring.MakeAvailable(0, 6, wrap: false);
        ring.Use(0, 0, wrap: false);
        ring.Note(6, wrap: true);
        Assert.Equal(1, ring.Read(inOrder: false));

        // The other way round, at the end of an even round.
        ring.MakeAvailable(6, 2, wrap: false);
        ring.Use(6, 6, wrap: false);
        ring.Use(7, 7, wrap: false);
        ring.MakeAvailable(0, 6, wrap: true);
        ring.Note(6, wrap: false);
        Assert.Equal(PackedFormat.WrapBit, ring.Read(inOrder: false));
    }

    [Fact]
    public void In_order_one_used_descriptor_stands_for_a_batch_and_names_its_last()
    {
        using var ring = new Ring(RingFormat.Packed);
        ring.MakeAvailable(0, Size, wrap: true);
        ring.Use(0, id: 4, wrap: true);
        Assert.Equal(5 | PackedFormat.WrapBit, ring.Read(inOrder: true));
        Assert.Equal(1 | PackedFormat.WrapBit, ring.Read(inOrder: false)); // Where the device may reorder, it is one.
        ring.Use(5, id: 5, wrap: true);
        Assert.Equal(6 | PackedFormat.WrapBit, ring.Read(inOrder: true));
    }

    [Fact]
    public void A_batch_may_go_over_the_rings_end()
    {
        using var ring = new Ring(RingFormat.Packed);
        ring.MakeAvailable(0, Size, wrap: true);
        ring.Note(6, wrap: true);
        ring.MakeAvailable(0, 6, wrap: false);
        ring.Use(6, id: 1, wrap: true);
        Assert.Equal(2, ring.Read(inOrder: true));
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void Memory_that_the_holder_has_truncated_is_an_error_of_the_holder(RingFormat format)
    {
        using var ring = new Ring(format);
        ring.Memory.Truncate(0);
        ArrakisException fault = Assert.Throws<ArrakisException>(() => RingPosition.Read(ring.Memory, ring.Layout, VirtioFeatures.None));
        Assert.Equal(ErrorCode.MemoryExhausted, fault.Code);
    }

    [Fact]
    public void Whatever_the_holder_writes_the_answer_is_a_place_in_the_ring_and_comes_after_one_round()
    {
        var random = new Random(7);
        using var ring = new Ring(RingFormat.Packed);
        byte[] rubbish = new byte[ring.Layout.End + PackedFormat.DriverNoteOffset];
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(rubbish);
            if (round % 2 == 0)
            {
                // All of it used, in both rounds: what takes longest.
                for (int i = 0; i < Size; i++)
                {
                    rubbish[i * PackedFormat.DescriptorSize + PackedFormat.DescriptorFlagsOffset] = round % 4 == 0 ? (byte)0x80 : (byte)0;
                    rubbish[i * PackedFormat.DescriptorSize + PackedFormat.DescriptorFlagsOffset + 1] = round % 4 == 0 ? (byte)0x80 : (byte)0;
                }
            }

            Assert.Equal(rubbish.Length, ring.Memory.Write(rubbish, 0));
            Assert.InRange(ring.Read(inOrder: round % 3 == 0) & ~PackedFormat.WrapBit, 0, Size - 1);
        }
    }

    private sealed class Ring : IDisposable
    {
        public Ring(RingFormat format)
        {
            Layout = RingLayout.At(format, 0, Size);
            Memory = MemoryFile.Create("test ring", 4096, PagePreference.BaseOnly);
        }

        public RingLayout Layout { get; }

        public MemoryFile Memory { get; }

        public int Read(bool inOrder) =>
            RingPosition.Read(Memory, Layout, VirtioFeatures.RingPacked | (inOrder ? VirtioFeatures.InOrder : VirtioFeatures.None));

        public void Write(long offset, ushort value) => Assert.Equal(sizeof(ushort), Memory.Write(BitConverter.GetBytes(value), offset));

        /// <summary>The driver makes descriptors available.</summary>
        public void MakeAvailable(int first, int count, bool wrap)
        {
            for (int i = first; i < first + count; i++)
            {
                Write(At(i) + PackedFormat.DescriptorIdOffset, (ushort)i);
                Write(At(i) + PackedFormat.DescriptorFlagsOffset, wrap ? DescriptorFlags.Available : DescriptorFlags.Used);
            }
        }

        /// <summary>The device uses one.</summary>
        public void Use(int place, int id, bool wrap)
        {
            Write(At(place) + PackedFormat.DescriptorIdOffset, (ushort)id);
            Write(At(place) + PackedFormat.DescriptorFlagsOffset, wrap ? Both : (ushort)0);
        }

        /// <summary>The driver notes what it expects next.</summary>
        public void Note(int place, bool wrap) =>
            Write(Layout.DriverArea + PackedFormat.DriverNoteOffset, (ushort)(place | (wrap ? 0 : PackedFormat.WrapBit)));

        public void Dispose() => Memory.Dispose();

        private long At(int place) => Layout.DescriptorArea + place * PackedFormat.DescriptorSize;
    }
}
