using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Tests.Device;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Memory;

public sealed class PacketPoolTests
{
    [Fact]
    public void A_buffer_is_given_back_once()
    {
        using var rings = new TestRings();
        Assert.True(rings.Pool.TryRent(out PacketBuffer buffer));
        rings.Pool.Return(buffer);
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Return(buffer));
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Bytes(buffer, 0, 0).Length);
    }

    [Fact]
    public void A_handle_of_an_earlier_use_is_refused_while_another_owner_has_the_buffer()
    {
        using var rings = new TestRings();
        Assert.True(rings.Pool.TryRent(out PacketBuffer first));
        rings.Pool.Return(first);
        Assert.True(rings.Pool.TryRent(out PacketBuffer second));
        Assert.Equal(first.Index, second.Index); // The buffer used last is used next.
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Return(first));
        Assert.Throws<InvalidOperationException>(() => rings.Pool.ToRing(first));
        rings.Pool.Return(second);
    }

    [Fact]
    public void A_renewed_handle_makes_the_others_stale()
    {
        using var rings = new TestRings();
        Assert.True(rings.Pool.TryRent(out PacketBuffer first));
        PacketBuffer second = rings.Pool.Renew(first);
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Return(first));
        rings.Pool.Return(second);
    }

    [Fact]
    public void The_default_handle_belongs_to_nobody()
    {
        using var rings = new TestRings();
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Return(default));
        Assert.Throws<InvalidOperationException>(() => rings.Pool.Bytes(default, 0, 0).Length);
    }

    [Theory]
    [InlineData(0, TestDevice.BufferSize + 1)]
    [InlineData(1, TestDevice.BufferSize)]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    [InlineData(TestDevice.BufferSize + 1, 0)]
    [InlineData(int.MaxValue, int.MaxValue)]
    [InlineData(int.MinValue, int.MinValue)]
    public void Bytes_outside_of_a_buffer_are_refused(int offset, int length)
    {
        using var rings = new TestRings();
        Assert.True(rings.Pool.TryRent(out PacketBuffer buffer));
        Assert.Throws<ArgumentOutOfRangeException>(() => rings.Pool.Bytes(buffer, offset, length).Length);
        Assert.Equal(TestDevice.BufferSize, rings.Pool.Bytes(buffer, 0, TestDevice.BufferSize).Length);
        Assert.Equal(0, rings.Pool.Bytes(buffer, TestDevice.BufferSize, 0).Length);
    }

    [Fact]
    public void An_empty_pool_rents_nothing()
    {
        using var rings = new TestRings(queueSize: 4, buffers: 6);
        Assert.True(rings.Pool.TryRent(out _));
        Assert.True(rings.Pool.TryRent(out PacketBuffer last));
        Assert.False(rings.Pool.TryRent(out _));
        Assert.False(rings.Pool.TryRentForRing(out _));
        rings.Pool.Return(last);
        Assert.True(rings.Pool.TryRent(out _));
    }

    [Fact]
    public void Buffers_do_not_overlap_and_the_device_sees_them_at_their_addresses()
    {
        using var rings = new TestRings(queueSize: 4, buffers: 12);
        var owned = new List<PacketBuffer>();
        while (rings.Pool.TryRent(out PacketBuffer buffer))
        {
            rings.Pool.Bytes(buffer, 0, TestDevice.BufferSize).Fill((byte)buffer.Index);
            owned.Add(buffer);
        }

        long start = rings.Device.Grant.Memory.BufferOffset;
        foreach (PacketBuffer buffer in owned)
        {
            Assert.Equal(TestDevice.IovaBase + (ulong)start + (ulong)buffer.Index * TestDevice.BufferSize, rings.Pool.AddressOf(buffer.Index).Value);
            Assert.True(rings.Pool.Bytes(buffer, 0, TestDevice.BufferSize).IndexOfAnyExcept((byte)buffer.Index) < 0);
        }
    }

    [Fact]
    public void Whatever_is_rented_and_returned_no_buffer_is_lost_or_owned_twice() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 1000]).Array[0, 500].Sample(
            static steps =>
            {
                using var rings = new TestRings(queueSize: 2, buffers: 18);
                PacketPool pool = rings.Pool;
                var owned = new List<PacketBuffer>();
                var inRing = new List<int>();
                foreach ((int step, int argument) in steps)
                {
                    switch (step)
                    {
                        case 0 when pool.TryRent(out PacketBuffer rented):
                            owned.Add(rented);
                            break;
                        case 1 when owned.Count > 0:
                            pool.Return(owned[argument % owned.Count]);
                            owned.RemoveAt(argument % owned.Count);
                            break;
                        case 2 when owned.Count > 0:
                            inRing.Add(pool.ToRing(owned[argument % owned.Count]));
                            owned.RemoveAt(argument % owned.Count);
                            break;
                        case 3 when inRing.Count > 0:
                            int index = inRing[argument % inRing.Count];
                            inRing.RemoveAt(argument % inRing.Count);
                            if (argument % 2 == 0)
                            {
                                owned.Add(pool.FromRing(index));
                            }
                            else
                            {
                                pool.ReturnFromRing(index);
                            }

                            break;
                        default:
                            break;
                    }

                    int[] all = [.. owned.Select(b => b.Index), .. inRing];
                    Assert.Equal(all.Length, all.Distinct().Count());
                    Assert.Equal(16 - all.Length, pool.FreeCount);
                    Assert.All(owned, b => Assert.Equal(1, pool.Bytes(b, 0, 1).Length));
                }
            },
            seed: Seeds.Fixed,
            iter: 60,
            threads: 1);
}
