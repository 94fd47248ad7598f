using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>Grants that this data plane must refuse.</summary>
public sealed class StorageGrantValidationTests
{
    public static TheoryData<string> Faults => [.. s_faults.Keys];

    private static readonly Dictionary<string, Func<StorageGrant, StorageGrant>> s_faults = new()
    {
        ["no memory"] = static grant => grant with { Memory = null! },
        ["no queues"] = static grant => grant with { Queues = [] },
        ["null queues"] = static grant => grant with { Queues = null! },
        ["many queues"] = static grant => grant with { Queues = [.. Enumerable.Repeat(grant.Queues[0], 9)] },
        ["no area"] = static grant => grant with { Area = "" },
        ["access"] = static grant => grant with { Access = (AreaAccess)7 },
        ["capability"] = static grant => grant with { Capabilities = (StorageCapabilities)64 },
        ["forced unit access"] = static grant => grant with { Capabilities = StorageCapabilities.ForceUnitAccess },
        ["flush not negotiated"] = static grant => grant with { Features = VirtioFeatures.Version1 },
        ["legacy"] = static grant => grant with { Features = grant.Features & ~VirtioFeatures.Version1 },
        ["in order"] = static grant => grant with { Features = grant.Features | VirtioFeatures.InOrder },
        ["unknown feature"] = static grant => grant with { Features = grant.Features | VirtioBlockFeatures.SecureErase },
        ["packed feature"] = static grant => grant with { Features = grant.Features | VirtioFeatures.RingPacked },
        ["block size 0"] = static grant => grant with { BlockSize = 0 },
        ["block size 256"] = static grant => grant with { BlockSize = 256 },
        ["block size 1000"] = static grant => grant with { BlockSize = 1000 },
        ["block size huge"] = static grant => grant with { BlockSize = 1 << 17 },
        ["block over buffer"] = static grant => grant with { BlockSize = 8192, MaxTransferLength = 8192 },
        ["transfer 0"] = static grant => grant with { MaxTransferLength = 0 },
        ["transfer not blocks"] = static grant => grant with { MaxTransferLength = 4097 },
        ["transfer huge"] = static grant => grant with { MaxTransferLength = 1 << 21 },
        ["no blocks"] = static grant => grant with { BlockCount = 0, Extents = [] },
        ["negative blocks"] = static grant => grant with { BlockCount = -1 },
        ["too many blocks"] = static grant => grant with { BlockCount = long.MaxValue, Extents = [new(0, long.MaxValue)] },
        ["null extents"] = static grant => grant with { Extents = null! },
        ["no extents"] = static grant => grant with { Extents = [] },
        ["extents short"] = static grant => grant with { Extents = [new(0, 255)] },
        ["extents long"] = static grant => grant with { Extents = [new(0, 257)] },
        ["extent empty"] = static grant => grant with { Extents = [new(0, 256), new(300, 0)] },
        ["extent negative"] = static grant => grant with { Extents = [new(-1, 256)] },
        ["extent count negative"] = static grant => grant with { Extents = [new(0, -1), new(300, 257)] },
        ["extents overlap"] = static grant => grant with { Extents = [new(10, 128), new(100, 128)] },
        ["extent far"] = static grant => grant with { Extents = [new(long.MaxValue - 255, 256)] },
        ["extent beyond bytes"] = static grant => grant with { Extents = [new(long.MaxValue / 65536 - 255, 256)] },
        ["buffer size 0"] = static grant => grant with { Memory = grant.Memory with { BufferSize = 0 } },
        ["buffer size odd"] = static grant => grant with { Memory = grant.Memory with { BufferSize = 4097 } },
        ["buffer size huge"] = static grant => grant with { Memory = grant.Memory with { BufferSize = 1 << 21 } },
        ["buffers outside"] = static grant => grant with { Memory = grant.Memory with { BufferOffset = grant.Memory.Length } },
        ["buffers negative"] = static grant => grant with { Memory = grant.Memory with { BufferOffset = -4096 } },
        ["buffers unaligned"] = static grant => grant with { Memory = grant.Memory with { BufferOffset = grant.Memory.BufferOffset + 512, BufferLength = 4096 } },
        ["buffers none"] = static grant => grant with { Memory = grant.Memory with { BufferLength = 0 } },
        ["buffers over rings"] = static grant => grant with { Memory = grant.Memory with { BufferOffset = 0, BufferLength = 8192 } },
        ["iova unaligned"] = static grant => grant with { Memory = grant.Memory with { IovaBase = 512 } },
        ["iova wraps"] = static grant => grant with { Memory = grant.Memory with { IovaBase = ulong.MaxValue - 4095 } },
        ["igb ring"] = static grant => WithRing(grant, static ring => ring with { Format = RingFormat.Igb }),
        ["unknown ring"] = static grant => WithRing(grant, static ring => ring with { Format = (RingFormat)99 }),
        ["ring size"] = static grant => WithRing(grant, static ring => ring with { QueueSize = 63 }),
        ["ring size huge"] = static grant => WithRing(grant, static ring => ring with { QueueSize = 1 << 20 }),
        ["ring size 2"] = static grant => WithRing(grant, static ring => ring with { QueueSize = 2 }),
        ["ring outside"] = static grant => WithRing(grant, static ring => ring with { DescriptorArea = 1L << 40 }),
        ["ring negative"] = static grant => WithRing(grant, static ring => ring with { DeviceArea = -4 }),
        ["ring overlaps itself"] = static grant => WithRing(grant, static ring => ring with { DriverArea = ring.DescriptorArea }),
        ["commands outside"] = static grant => WithQueue(grant, queue => queue with { CommandArea = grant.Memory.Length }),
        ["commands negative"] = static grant => WithQueue(grant, static queue => queue with { CommandArea = -4096 }),
        ["commands unaligned"] = static grant => WithQueue(grant, static queue => queue with { CommandArea = queue.CommandArea + 64 }),
        ["commands over ring"] = static grant => WithQueue(grant, static queue => queue with { CommandArea = 0 }),
        ["commands in buffers"] = static grant => WithQueue(grant, queue => queue with { CommandArea = grant.Memory.BufferOffset }),
        ["kick outside"] = static grant => WithQueue(grant, static queue => queue with { KickDescriptor = 4 }),
        ["kick is event"] = static grant => WithQueue(grant, static queue => queue with { KickDescriptor = 2 }),
        ["kick negative"] = static grant => WithQueue(grant, static queue => queue with { KickDescriptor = -1 }),
        ["event is memory"] = static grant => WithQueue(grant, static queue => queue with { EventDescriptor = 0 }),
        ["event outside"] = static grant => WithQueue(grant, static queue => queue with { EventDescriptor = 9 }),
        ["completion doorbell"] = static grant => WithQueue(grant, static queue => queue with { CompletionDoorbell = new DoorbellRegister(0, 4) }),
        ["doorbell of no device"] = static grant => WithQueue(grant, static queue => queue with { Doorbell = new DoorbellRegister(0, 2) }),
        ["doorbell width"] = static grant => WithQueue(grant, static queue => queue with { Doorbell = new DoorbellRegister(0, 8) }),
        ["two queues, one event"] = static grant => grant with { Queues = [grant.Queues[0], grant.Queues[0]] },
        ["other binding"] = static grant => grant with { BindingId = 44 },
        ["other generation"] = static grant => grant with { Generation = 6 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_grant_that_does_not_fit_is_refused_and_its_descriptors_are_closed(string fault)
    {
        using var device = new MemoryBlockDevice();
        Descriptor[] sent = device.Descriptors();
        InvalidGrantException error = Assert.Throws<InvalidGrantException>(() => new StorageBinding(s_faults[fault](device.Grant), sent, static _ => default));
        Assert.NotEmpty(error.Message);
        Assert.All(sent, static descriptor => Assert.True(descriptor.IsClosed));
    }

    [Fact]
    public async Task The_grant_as_it_is_is_taken()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        Assert.Same(device.Grant, storage.Grant);
    }

    private static StorageGrant WithQueue(StorageGrant grant, Func<BlockQueueGrant, BlockQueueGrant> change) =>
        grant with { Queues = [change(grant.Queues[0])] };

    private static StorageGrant WithRing(StorageGrant grant, Func<RingLayout, RingLayout> change) =>
        WithQueue(grant, queue => queue with { Ring = change(queue.Ring) });
}
