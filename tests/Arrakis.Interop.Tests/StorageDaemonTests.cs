using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.TestBed.Storage;

namespace Arrakis.Interop.Tests;

/// <summary>QEMU's storage daemon as the back end of a storage area, unchanged, as Debian has it.</summary>
public sealed class StorageDaemonTests
{
    private const string Program = "/usr/bin/qemu-storage-daemon";
    private const int BlockSize = 4096;
    private const int Blocks = 512;

    [Fact]
    public async Task An_application_has_a_disk_of_the_storage_daemon_over_a_restart_of_ours_and_loses_it_with_theirs()
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-disk-").FullName;
        string image = Path.Combine(folder, "image");
        string socket = Path.Combine(folder, "disk.sock");
        try
        {
            await File.WriteAllBytesAsync(image, new byte[Blocks * BlockSize], Cancellation);
            await using ChildProcess storage = StartDaemon(image, socket);
            await Waiting.UntilAsync(() => File.Exists(socket), () => $"It does not listen: {storage.Errors}");
            await using DaemonProcess daemon = await DaemonProcess.StartAsync(
                new DaemonSetup
                {
                    HasSoftDevice = false,
                    MoreDevices = [$$"""{ "kind": "vhost-user-block", "name": "qsd0", "disks": [ { "socket": "{{socket}}", "area": "disk" } ] }"""],
                },
                Cancellation);
            await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
            StorageBinding binding = await client.BindStorageAsync(new StorageRequest { Area = "disk", Queues = 2 }, Cancellation);
            await using (binding)
            {
                Assert.Equal((BlockSize, (long)Blocks, true), (binding.Grant.BlockSize, binding.Grant.BlockCount, binding.Grant.Capabilities.HasFlag(StorageCapabilities.VolatileCache)));
                AreaDescription area = Assert.Single(await client.ListAreasAsync(Cancellation));
                Assert.Equal(("disk", "qsd0", (long)Blocks * BlockSize), (area.Name, area.Device, area.Length));
                Fill(binding, 1);
                await daemon.KillAsync();
                Fill(binding, 2);
                await daemon.StartAgainAsync(Cancellation);
                Assert.Equal([binding.Grant.BindingId], Assert.Single(await client.ListAreasAsync(Cancellation)).Bindings);
                Assert.Equal(-1, (await File.ReadAllBytesAsync(image, Cancellation)).AsSpan().IndexOfAnyExcept((byte)2));

                _ = storage.Signal(9);
                _ = Assert.Throws<BindingRevokedException>(() => Fill(binding, 3));
            }

            await Waiting.UntilAsync(async () => (await client.ListBindingsAsync(Cancellation)).Count == 0, () => daemon.Log);
            ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(async () => await client.BindStorageAsync(new StorageRequest { Area = "disk" }, Cancellation));
            Assert.Equal(ErrorCode.DeviceUnavailable, refused.Code);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static ChildProcess StartDaemon(string image, string socket) => ChildProcess.Start(
        "qemu-storage-daemon",
        null,
        Program,
        [
            "--blockdev", $"driver=file,node-name=file,filename={image}",
            "--blockdev", "driver=raw,node-name=disk,file=file",
            "--export", $"type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path={socket},writable=on,logical-block-size={BlockSize},num-queues=2",
        ],
        ChildEnding.Signal);

    /// <summary>Writes all blocks durably by both queues, and reads them back by the other one.</summary>
    private static void Fill(StorageBinding binding, byte value)
    {
        for (int block = 0; block < Blocks; block++)
        {
            BlockQueue queue = binding.Queues[block % 2];
            Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
            buffer.Span.Fill(value);
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Write, block, 1, buffer, 1, WriteDurability.Durable)));
            queue.Buffers.Return(buffer);
        }

        for (int block = 0; block < Blocks; block++)
        {
            BlockQueue queue = binding.Queues[1 - block % 2];
            Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Read, block, 1, buffer, 1)));
            Assert.Equal(-1, buffer.Span[..BlockSize].IndexOfAnyExcept(value));
            queue.Buffers.Return(buffer);
        }
    }
}
