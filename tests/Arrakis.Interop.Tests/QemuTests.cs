using System.Globalization;
using Arrakis.Interop.Tests.Support;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.Wire.Virtio;

namespace Arrakis.Interop.Tests;

/// <summary>Linux's own virtio-net driver, in a guest of QEMU, as the front end of the software device.</summary>
public sealed class QemuTests
{
    private const ushort SourcePort = 5001;
    private const ushort SinkPort = 5002;
    private const ulong Seed = 0x51;
    private const long MiB = 1L << 20;
    private const long MegabytesWithoutSegmentation = 256;

    private const string Plain =
        "packed=off,in_order=off,indirect_desc=off,event_idx=off,mrg_rxbuf=off,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,"
        + "guest_ufo=off,guest_uso4=off,guest_uso6=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,host_uso=off";

    // What the device has to offer for the driver to use it; the rest of what a guest sees is QEMU's own.
    private const VirtioFeatures OfDevice =
        VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4 | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.RingEventIndex | VirtioFeatures.RingPacked;

    private const VirtioFeatures Segmentation = VirtioFeatures.NetHostTso4 | VirtioFeatures.NetGuestTso4;

    /// <summary>A guest that wants nothing but the rings, one with long split rings, and one that takes all that is offered.</summary>
    [Theory]
    [InlineData(Plain, VirtioFeatures.None, 128)]
    [InlineData("packed=off,rx_queue_size=1024,tx_queue_size=1024", OfDevice & ~VirtioFeatures.RingPacked, 256)]
    [InlineData("packed=on", OfDevice, 1024)]
    public async Task A_guest_is_pinged_and_streams_both_ways(string properties, VirtioFeatures wanted, long megabytes)
    {
        await using FrontEndBed bed = await FrontEndBed.StartAsync();
        VirtioFeatures offered = await bed.Device.OfferedFeaturesAsync(0);
        QemuGuest guest = await QemuGuest.BootAsync(bed.Folder, bed.Socket, FrontEndBed.Mac, properties);
        bed.Add("end the guest", () => guest.DisposeAsync().AsTask());
        _ = await guest.RunAsync($"ip address add {FrontEndBed.Address}/24 dev eth0 && ip link set eth0 up");
        Assert.Equal(FrontEndBed.Mac, (await guest.RunAsync("cat /sys/class/net/eth0/address")).Trim());
        VirtioFeatures negotiated = await guest.FeaturesAsync("/sys/class/net/eth0/device");
        Assert.True(negotiated.HasFlag(VirtioFeatures.Version1), $"{negotiated}");
        Assert.Equal(offered & wanted, negotiated & OfDevice);
        TestContext.Current.TestOutputHelper?.WriteLine($"negotiated: {negotiated}");

        _ = await guest.RunAsync($"ping -c 3 {FrontEndBed.HostAddress}");
        await FrontEndBed.PingAsync(bed.Host, FrontEndBed.Address);

        // An emulated processor that makes every checksum and segment itself is slow.
        long length = (negotiated & Segmentation) == Segmentation ? megabytes * MiB : Math.Min(megabytes, MegabytesWithoutSegmentation) * MiB;
        await StreamToGuestAsync(bed, guest, length);
        await StreamFromGuestAsync(bed, guest, length);
    }

    private static async Task StreamToGuestAsync(FrontEndBed bed, QemuGuest guest, long length)
    {
        await using AppProcess source = AppProcess.Start(new TcpStreamOrder(true, true, FrontEndBed.HostAddress, SourcePort, Seed, length), bed.Host.Path);
        _ = await source.ExpectAsync<ListeningReport>();
        _ = await guest.RunAsync($"nc {FrontEndBed.HostAddress} {SourcePort} -e sha256sum");
        StreamReport sent = await source.ExpectAsync<StreamReport>(Transfers.Patience);
        Assert.Equal($"{sent.Sha256}  -\n", sent.Answer);
    }

    private static async Task StreamFromGuestAsync(FrontEndBed bed, QemuGuest guest, long length)
    {
        // A block again and again, each with its number before it, so that none can stand for another.
        _ = await guest.RunAsync("dd if=/dev/urandom of=/tmp/block bs=1M count=16 2>/dev/null");
        string blocks = string.Create(CultureInfo.InvariantCulture, $"for i in $(seq {length / (16 * MiB)}); do echo $i; cat /tmp/block; done");
        _ = await guest.RunAsync($"echo '{blocks}' >/tmp/send");
        await using AppProcess sink = AppProcess.Start(new TcpStreamOrder(true, false, FrontEndBed.HostAddress, SinkPort, Seed, length), bed.Host.Path);
        _ = await sink.ExpectAsync<ListeningReport>();
        _ = await guest.RunAsync($"nc {FrontEndBed.HostAddress} {SinkPort} -e sh /tmp/send");
        StreamReport received = await sink.ExpectAsync<StreamReport>(Transfers.Patience);
        Assert.True(received.Length > length, $"{received}");
        Assert.Equal($"{received.Sha256}  -", (await guest.RunAsync("sh /tmp/send | sha256sum")).Trim());
    }
}
