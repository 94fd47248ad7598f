using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Machine;
using Arrakis.Wire.Virtio;

namespace Arrakis.Interop.Tests;

/// <summary>Linux's own virtio-blk driver, in a guest of QEMU, on a block function of the software device, whose blocks an application's rings have too.</summary>
public sealed class GuestDiskTests
{
    private const int Seed = 0xB1;
    private const int FileSystemBlocks = 16 * 1024;
    private const int PatternBlocks = 2048; // behind the file system
    private const int LargeFile = 24; // MiB
    private const int StampLength = 16;

    private const VirtioFeatures OfDevice =
        VirtioBlockFeatures.SizeMax | VirtioBlockFeatures.SegmentMax | VirtioBlockFeatures.BlockSize | VirtioBlockFeatures.WriteZeroes
        | VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.RingEventIndex | VirtioFeatures.RingPacked;

    // Which a device in memory does not have.
    private const VirtioFeatures OfDisk = VirtioBlockFeatures.Flush | VirtioBlockFeatures.Discard;

    /// <summary>Rings of 128 without indirect descriptors, as long as the longest request; long ones with; and packed ones, with and without.</summary>
    [Theory]
    [InlineData("disk", "packed=off,queue-size=128,indirect_desc=off,event_idx=off", VirtioFeatures.RingPacked | VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.RingEventIndex)]
    [InlineData("disk", "packed=off,queue-size=1024", VirtioFeatures.RingPacked)]
    [InlineData("disk", "packed=on,queue-size=128,indirect_desc=off", VirtioFeatures.RingIndirectDescriptors)]
    [InlineData("memory", "packed=on,queue-size=256", VirtioFeatures.None)]
    public async Task A_guest_and_our_rings_read_what_the_other_wrote(string backing, string properties, VirtioFeatures unwanted)
    {
        await using DiskBed bed = await DiskBed.StartAsync(backing);
        string expected = await WriteFileSystemAsync(bed);
        byte[] pattern = new byte[PatternBlocks * DiskBed.BlockSize];
        new Random(Seed).NextBytes(pattern);
        bed.Write(FileSystemBlocks, pattern);

        QemuGuest guest = await QemuGuest.BootWithDiskAsync(bed.Folder, bed.Socket, properties);
        bed.Add("end the guest", () => guest.DisposeAsync().AsTask());
        Assert.Equal((OfDevice | (backing == "disk" ? OfDisk : 0)) & ~unwanted, await guest.FeaturesAsync("/sys/block/vda/device") & (OfDevice | OfDisk));
        Assert.Equal(DiskBed.Blocks * 8L, long.Parse(await guest.RunAsync("cat /sys/block/vda/size"), CultureInfo.InvariantCulture));

        // What our rings wrote: a file system, and blocks behind it.
        _ = await guest.RunAsync("mkdir /tmp/disk && mount -t ext4 /dev/vda /tmp/disk");
        Assert.Equal(expected, await DigestAsync(guest, "cat /tmp/disk/large"));
        _ = await guest.RunAsync("umount /tmp/disk");
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(pattern)), await DigestAsync(guest, $"dd if=/dev/vda iflag=direct bs=64k skip={FileSystemBlocks / 16} count={PatternBlocks / 16} 2>/dev/null"));

        // What the guest writes: another file system, and blocks each of whose parts has the block's number.
        string written = await MakeFileSystemAsync(guest);
        _ = await guest.RunAsync(
            $"awk 'BEGIN {{ for (i = 0; i < {PatternBlocks}; i++) {{ s = sprintf(\"%0{StampLength}d\", i); for (k = 0; k < 8; k++) s = s s; printf \"%s\", s }} }}' >/tmp/stamps");
        _ = await guest.RunAsync($"dd if=/tmp/stamps of=/dev/vda oflag=direct bs=1M seek={FileSystemBlocks / 256} conv=notrunc,fsync 2>/dev/null");
        CheckStamps(bed);
        Assert.Equal(written, await ReadFileSystemAsync(bed));
        string log = await guest.RunAsync("dmesg");
        Assert.DoesNotContain("I/O error", log, StringComparison.Ordinal);
        Assert.DoesNotContain("EXT4-fs error", log, StringComparison.Ordinal);
    }

    /// <summary>A file system with a large file, made on this machine and written by our rings.</summary>
    private static async Task<string> WriteFileSystemAsync(DiskBed bed)
    {
        string content = Directory.CreateDirectory(Path.Combine(bed.Folder, "content")).FullName;
        byte[] large = new byte[LargeFile << 20];
        new Random(Seed + 1).NextBytes(large);
        await File.WriteAllBytesAsync(Path.Combine(content, "large"), large, Cancellation);
        string image = Path.Combine(bed.Folder, "image");
        await Command.RunAsync("mkfs.ext4", ["-q", "-d", content, "-b", $"{DiskBed.BlockSize}", image, $"{FileSystemBlocks}"], Cancellation);
        bed.Write(0, await File.ReadAllBytesAsync(image, Cancellation));
        return Convert.ToHexStringLower(SHA256.HashData(large));
    }

    /// <summary>A file system of the guest's, with a large file that it reads again from the disk.</summary>
    private static async Task<string> MakeFileSystemAsync(QemuGuest guest)
    {
        _ = await guest.RunAsync($"/sbin/mkfs.ext4 -q -F -b {DiskBed.BlockSize} /dev/vda {FileSystemBlocks} && mount -t ext4 /dev/vda /tmp/disk");
        _ = await guest.RunAsync($"dd if=/dev/urandom of=/tmp/disk/large bs=1M count={LargeFile} 2>/dev/null && sync");
        string written = await DigestAsync(guest, "cat /tmp/disk/large");
        _ = await guest.RunAsync("umount /tmp/disk && echo 3 >/proc/sys/vm/drop_caches && mount -t ext4 /dev/vda /tmp/disk");
        Assert.Equal(written, await DigestAsync(guest, "cat /tmp/disk/large"));
        _ = await guest.RunAsync("umount /tmp/disk");
        return written;
    }

    /// <summary>The guest's file system, read by our rings and checked by this machine's tools.</summary>
    private static async Task<string> ReadFileSystemAsync(DiskBed bed)
    {
        byte[] bytes = new byte[FileSystemBlocks * DiskBed.BlockSize];
        bed.Read(0, bytes);
        string image = Path.Combine(bed.Folder, "image");
        string large = Path.Combine(bed.Folder, "large");
        await File.WriteAllBytesAsync(image, bytes, Cancellation);
        await Command.RunAsync("e2fsck", ["-f", "-n", image], Cancellation);
        await Command.RunAsync("debugfs", ["-R", $"dump /large {large}", image], Cancellation);
        return Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(large, Cancellation)));
    }

    private static void CheckStamps(DiskBed bed)
    {
        byte[] bytes = new byte[PatternBlocks * DiskBed.BlockSize];
        bed.Read(FileSystemBlocks, bytes);
        for (int at = 0; at < bytes.Length; at += StampLength)
        {
            Assert.True(
                Utf8Parser.TryParse(bytes.AsSpan(at, StampLength), out long number, out int length) && length == StampLength && number == at / DiskBed.BlockSize,
                $"Byte {at} of the pattern is of block {number}.");
        }
    }

    private static async Task<string> DigestAsync(QemuGuest guest, string command) => (await guest.RunAsync($"{command} | sha256sum")).Split(' ')[0];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;
}
