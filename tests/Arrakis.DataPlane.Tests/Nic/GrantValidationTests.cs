using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Grants that a faulty or hostile daemon could make: each is refused with a reason, and nothing is left open.</summary>
public sealed class GrantValidationTests
{
    private const int MaxMtu = TestDevice.BufferSize - BufferLayout.FrameOffset - EthernetView.HeaderLength;

    private static readonly Dictionary<string, Func<Grant, Grant>> s_grants = new()
    {
        ["no memory"] = static g => g with { Memory = null! },
        ["no queues"] = static g => g with { Queues = null! },
        ["one queue"] = static g => g with { Queues = [g.Queues[0]] },
        ["nine queue pairs"] = static g => g with { Queues = [.. Enumerable.Repeat(g.Queues, 9).SelectMany(static pair => pair)] },
        ["two pairs with the same event"] = static g => g with { Queues = [.. g.Queues, .. g.Queues] },
        ["a pair with two events"] = static g => WithQueue(g, static q => q with { EventDescriptor = 4 }),
        ["more pairs than buffers"] = static g => g with { Memory = g.Memory with { BufferLength = g.Memory.BufferSize }, Queues = [.. g.Queues, .. g.Queues.Select(static q => q with { EventDescriptor = 3 })] },
        ["an event that is the status page"] = static g => g with { Queues = [.. g.Queues.Select(static q => q with { EventDescriptor = 1 })] },
        ["an event that did not come"] = static g => g with { Queues = [.. g.Queues.Select(static q => q with { EventDescriptor = 5 })] },
        ["steering to a queue that is not there"] = static g => g with { Steering = FlowSteering.Even(2) },
        ["steering without a table"] = static g => g with { Steering = FlowSteering.Even(1) with { Table = [] } },
        ["steering by a table that no mask bounds"] = static g => g with { Steering = FlowSteering.Even(1) with { Table = [0, 0, 0] } },
        ["steering by a short key"] = static g => g with { Steering = FlowSteering.Even(1) with { ToeplitzKey = "6d5a" } },
        ["steering by a key that is no number"] = static g => g with { Steering = FlowSteering.Even(1) with { ToeplitzKey = new string('x', 80) } },
        ["three queues"] = static g => g with { Queues = [.. g.Queues, g.Queues[0]] },
        ["queues in the other order"] = static g => g with { Queues = [g.Queues[1], g.Queues[0]] },
        ["two receive queues"] = static g => g with { Queues = [g.Queues[0], g.Queues[1] with { Direction = QueueDirection.Receive }] },
        ["an unknown ring format"] = static g => WithQueue(g, q => q with { Ring = q.Ring with { Format = (RingFormat)99 } }),
        ["a legacy device"] = static g => g with { Features = VirtioFeatures.None },
        ["split rings with the feature of packed ones"] = static g => g with { Features = g.Features | VirtioFeatures.RingPacked },
        ["a packed ring without the feature"] = static g => WithRing(g, r => r with { Format = RingFormat.Packed }),
        ["a packed ring without room for the driver's note"] = static g => g with
        {
            Features = g.Features | VirtioFeatures.RingPacked,
            Queues =
            [
                g.Queues[0] with { Ring = RingLayout.At(RingFormat.Packed, 0, 2) with { DriverArea = g.Memory.Length - 4 } },
                g.Queues[1] with { Ring = RingLayout.At(RingFormat.Packed, 1024, 2) },
            ],
        },
        ["a packed ring of which the driver's note lies in the next"] = static g => g with
        {
            Features = g.Features | VirtioFeatures.RingPacked,
            Queues =
            [
                g.Queues[0] with { Ring = RingLayout.At(RingFormat.Packed, 0, 2) with { DriverArea = 1024 - PackedFormat.DriverNoteOffset } },
                g.Queues[1] with { Ring = RingLayout.At(RingFormat.Packed, 1024, 2) },
            ],
        },
        ["hash reports"] = static g => g with { Features = g.Features | VirtioFeatures.NetHashReport },
        ["an unknown feature"] = static g => g with { Features = g.Features | (VirtioFeatures)(1UL << 63) },
        ["a group as hardware address"] = static g => g with { Mac = MacAddress.Broadcast },
        ["no hardware address"] = static g => g with { Mac = default },
        ["a group as address"] = static g => g with { Address = Ipv4Prefix.Parse("224.0.0.1/24") },
        ["a loopback as address"] = static g => g with { Address = Ipv4Prefix.Parse("127.0.0.1/8") },
        ["no address"] = static g => g with { Address = default },
        ["the network as address"] = static g => g with { Address = Ipv4Prefix.Parse("10.7.0.0/24") },
        ["the broadcast address"] = static g => g with { Address = Ipv4Prefix.Parse("10.7.0.255/24") },
        ["itself as gateway"] = static g => g with { Gateway = g.Address.Address },
        ["a group as gateway"] = static g => g with { Gateway = Ipv4Address.Parse("224.0.0.1") },
        ["no MTU"] = static g => g with { Mtu = 0 },
        ["a negative MTU"] = static g => g with { Mtu = int.MinValue },
        ["an MTU under IPv4's least"] = static g => g with { Mtu = 67 },
        ["an MTU over the buffers"] = static g => g with { Mtu = MaxMtu + 1 },
        ["a huge MTU"] = static g => g with { Mtu = int.MaxValue },
        ["memory of no length"] = static g => g with { Memory = g.Memory with { Length = 0 } },
        ["memory of negative length"] = static g => g with { Memory = g.Memory with { Length = -4096 } },
        ["memory longer than the file"] = static g => g with { Memory = g.Memory with { Length = g.Memory.Length + 4096 } },
        ["memory of the longest length"] = static g => g with { Memory = g.Memory with { Length = long.MaxValue / 4096 * 4096 } },
        ["memory of odd length"] = static g => g with { Memory = g.Memory with { Length = g.Memory.Length - 1 } },
        ["pages of no size"] = static g => g with { Memory = g.Memory with { PageSize = 0 } },
        ["pages of an odd size"] = static g => g with { Memory = g.Memory with { PageSize = 12345 } },
        ["device addresses that wrap"] = static g => g with { Memory = g.Memory with { IovaBase = ulong.MaxValue - 4096 } },
        ["buffers of no size"] = static g => g with { Memory = g.Memory with { BufferSize = 0 } },
        ["buffers of negative size"] = static g => g with { Memory = g.Memory with { BufferSize = int.MinValue } },
        ["buffers of an odd size"] = static g => g with { Memory = g.Memory with { BufferSize = 2047 } },
        ["buffers of a huge size"] = static g => g with { Memory = g.Memory with { BufferSize = 131072 } },
        ["buffers before the memory"] = static g => g with { Memory = g.Memory with { BufferOffset = -4096 } },
        ["buffers past the memory"] = static g => g with { Memory = g.Memory with { BufferOffset = g.Memory.BufferOffset + 4096 } },
        ["buffers far away"] = static g => g with { Memory = g.Memory with { BufferOffset = long.MaxValue - 63 } },
        ["buffers at an odd place"] = static g => g with { Memory = g.Memory with { BufferOffset = g.Memory.BufferOffset + 1, BufferLength = g.Memory.BufferLength - 4096 } },
        ["buffers of no length"] = static g => g with { Memory = g.Memory with { BufferLength = 0 } },
        ["buffers of negative length"] = static g => g with { Memory = g.Memory with { BufferLength = -2048 } },
        ["buffers of the longest length"] = static g => g with { Memory = g.Memory with { BufferLength = long.MaxValue } },
        ["buffers over the rings"] = static g => g with { Memory = g.Memory with { BufferOffset = 0 } },
        ["fewer buffers than descriptors"] = static g => g with { Memory = g.Memory with { BufferLength = 2048 * 255 } },
        ["a ring of no size"] = static g => WithRing(g, r => r with { QueueSize = 0 }),
        ["a ring of negative size"] = static g => WithRing(g, r => r with { QueueSize = int.MinValue }),
        ["a ring of an odd size"] = static g => WithRing(g, r => r with { QueueSize = 100 }),
        ["a ring of a huge size"] = static g => WithRing(g, r => r with { QueueSize = 65536 }),
        ["a descriptor table outside"] = static g => WithRing(g, r => r with { DescriptorArea = g.Memory.Length - 16 }),
        ["a descriptor table before"] = static g => WithRing(g, r => r with { DescriptorArea = -16 }),
        ["a descriptor table at an odd place"] = static g => WithRing(g, r => r with { DescriptorArea = r.DescriptorArea + 8 }),
        ["an available ring far away"] = static g => WithRing(g, r => r with { DriverArea = long.MaxValue - 1 }),
        ["an available ring over the descriptors"] = static g => WithRing(g, r => r with { DriverArea = r.DescriptorArea }),
        ["a used ring over the other ring"] = static g => WithRing(g, r => r with { DeviceArea = g.Queues[1].Ring.DeviceArea }),
        ["a used ring at an odd place"] = static g => WithRing(g, r => r with { DeviceArea = r.DeviceArea + 2 }),
        ["the same ring twice"] = static g => g with { Queues = [g.Queues[0], g.Queues[1] with { Ring = g.Queues[0].Ring }] },
        ["a doorbell that is the memory"] = static g => WithQueue(g, q => q with { KickDescriptor = 0 }),
        ["a doorbell that is the event"] = static g => WithQueue(g, q => q with { KickDescriptor = 2 }),
        ["a doorbell that did not come"] = static g => WithQueue(g, q => q with { KickDescriptor = 5 }),
        ["a negative doorbell"] = static g => WithQueue(g, q => q with { KickDescriptor = int.MinValue }),
        ["another binding's status page"] = static g => g with { BindingId = 43 },
        ["another generation's status page"] = static g => g with { Generation = 8 },
    };

    private static readonly Dictionary<string, Func<TestDevice, Descriptor[]>> s_descriptors = new()
    {
        ["no descriptors"] = static _ => [],
        ["one descriptor"] = static d => [d.Memory.Descriptor.Duplicate()],
        ["four descriptors"] = static d => Without(d.Descriptors(), 4),
        ["an eventfd as memory"] = static d => With(d.Descriptors(), 0, new EventFd().Descriptor),
        ["an eventfd as status page"] = static d => With(d.Descriptors(), 1, new EventFd().Descriptor),
        ["a socket as memory"] = static d => With(d.Descriptors(), 0, Socket()),
        ["a folder as memory"] = static d => With(d.Descriptors(), 0, Folder()),
        ["a folder as status page"] = static d => With(d.Descriptors(), 1, Folder()),
        ["a short file as memory"] = static d => With(d.Descriptors(), 0, Short()),
        ["a short file as status page"] = static d => With(d.Descriptors(), 1, Short()),
        ["memory for reading only"] = static d => With(d.Descriptors(), 0, d.Memory.OpenReadOnlyCopy()),
        ["the status page as memory"] = static d => With(d.Descriptors(), 0, Status(d)),
        ["the memory as status page"] = static d => With(d.Descriptors(), 1, d.Memory.Descriptor.Duplicate()),
        ["memory as event"] = static d => With(d.Descriptors(), 2, d.Memory.Descriptor.Duplicate()),
        ["a socket as doorbell"] = static d => With(d.Descriptors(), 3, Socket()),
        ["a folder as doorbell"] = static d => With(d.Descriptors(), 4, Folder()),
    };

    public static TheoryData<string> GrantNames => [.. s_grants.Keys];

    public static TheoryData<string> DescriptorNames => [.. s_descriptors.Keys];

    [Theory]
    [MemberData(nameof(GrantNames))]
    public void A_grant_that_makes_no_sense_is_refused(string name) => AssertRefused(s_grants[name], static d => d.Descriptors());

    [Theory]
    [MemberData(nameof(DescriptorNames))]
    public void Descriptors_that_are_not_what_they_are_to_be_are_refused(string name) => AssertRefused(static g => g, s_descriptors[name]);

    [Theory]
    [InlineData(StatusPageLayout.Magic)]
    [InlineData(StatusPageLayout.Version)]
    [InlineData(StatusPageLayout.Generation)]
    [InlineData(StatusPageLayout.BindingId)]
    public void A_status_page_that_is_not_the_grants_is_refused(int field)
    {
        using var device = new TestDevice();
        device.Write(field, 0xFFFFu);
        Assert.Throws<InvalidGrantException>(() => device.Bind());
    }

    [Theory]
    [InlineData("10.7.0.0/31")]
    [InlineData("10.7.0.1/31")]
    [InlineData("10.7.0.0/32")]
    [InlineData("10.7.0.255/32")]
    public async Task Networks_of_two_and_one_have_no_address_that_is_not_a_hosts(string address)
    {
        using var device = new TestDevice(address: address);
        await using NicBinding nic = device.Bind();
        Assert.Equal(Ipv4Prefix.Parse(address), nic.Address);
    }

    [Fact]
    public async Task The_smallest_and_the_largest_MTU_that_fit_are_taken()
    {
        foreach (int mtu in (int[])[68, MaxMtu])
        {
            using var device = new TestDevice(mtu: mtu);
            await using NicBinding nic = device.Bind();
            Assert.Equal(mtu - 28, nic.MaxDatagramLength);
        }
    }

    private static void AssertRefused(Func<Grant, Grant> grant, Func<TestDevice, Descriptor[]> descriptors)
    {
        using var device = new TestDevice();
        int before = DisposalTests.OpenDescriptors();
        Descriptor[] sent = descriptors(device);
        InvalidGrantException error = Assert.Throws<InvalidGrantException>(
            () => new NicBinding(grant(device.Grant), sent, static _ => default));
        Assert.Equal(ErrorCode.InvalidGrant, error.Code);
        Assert.NotEmpty(error.Cause);
        Assert.NotEmpty(error.Remedy);
        Assert.All(sent, static d => Assert.True(d.IsClosed));
        Assert.Equal(before, DisposalTests.OpenDescriptors());
        string maps = File.ReadAllText("/proc/self/maps");
        Assert.Equal(1, maps.Split('\n').Count(static line => line.Contains("test status", StringComparison.Ordinal))); // The device's own.
    }

    private static Grant WithQueue(Grant grant, Func<QueueGrant, QueueGrant> change) => grant with { Queues = [change(grant.Queues[0]), grant.Queues[1]] };

    private static Grant WithRing(Grant grant, Func<RingLayout, RingLayout> change) => WithQueue(grant, q => q with { Ring = change(q.Ring) });

    private static Descriptor[] With(Descriptor[] descriptors, int place, Descriptor other)
    {
        descriptors[place].Dispose();
        descriptors[place] = other;
        return descriptors;
    }

    private static Descriptor[] Without(Descriptor[] descriptors, int place)
    {
        descriptors[place].Dispose();
        return [.. descriptors.Where((_, i) => i != place)];
    }

    private static Descriptor Status(TestDevice device)
    {
        Descriptor[] all = device.Descriptors();
        Descriptor status = all[1].Duplicate();
        Array.ForEach(all, static d => d.Dispose());
        return status;
    }

    private static Descriptor Socket()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.Pair(UnixSocketKind.Stream);
        second.Dispose();
        return first.Descriptor;
    }

    private static unsafe Descriptor Folder()
    {
        fixed (byte* path = "/\0"u8)
        {
            return new Descriptor(Tmds.Linux.LibC.open(path, Tmds.Linux.LibC.O_CLOEXEC));
        }
    }

    private static Descriptor Short()
    {
        using MemoryFile file = MemoryFile.Create("short", 4096, PagePreference.BaseOnly);
        file.Truncate(100);
        return file.Descriptor.Duplicate();
    }
}
