using Arrakis.Contract;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Storage;

namespace Arrakis.Interop.Tests.Support;

/// <summary>The software device with two block functions on the same blocks: one for someone else's driver, one for an application's rings.</summary>
internal sealed class DiskBed : IAsyncDisposable
{
    public const int BlockSize = 4096;
    public const int Blocks = 24 * 1024;

    // Out of order and apart: what is one behind the other on the disk is not in the file.
    private static readonly BlockExtent[] s_extents = [new(20_000, 8_192), new(100, 12_288), new(15_000, 4_096)];

    private readonly Teardown _teardown = new();

    private DiskBed(string folder) => Folder = folder;

    /// <summary>For sockets and files.</summary>
    public string Folder { get; }

    /// <summary>The guest's socket.</summary>
    public string Socket { get; private set; } = null!;

    /// <summary>The application's rings.</summary>
    public StorageBinding Storage { get; private set; } = null!;

    /// <param name="backing">How the device reaches its file: memory or disk, on which the file then is.</param>
    public static async Task<DiskBed> StartAsync(string backing)
    {
        var bed = new DiskBed(Directory.CreateTempSubdirectory("arrakis-guest-disk-").FullName);
        try
        {
            bed.Add("delete the folder", () =>
            {
                Directory.Delete(bed.Folder, recursive: true);
                return Task.CompletedTask;
            });
            string file = Path.Combine(backing == "memory" ? "/dev/shm" : AppContext.BaseDirectory, $"guest-disk-{Guid.NewGuid():N}");
            bed.Add("delete the disk", () =>
            {
                File.Delete(file);
                return Task.CompletedTask;
            });
            await using (FileStream disk = File.Create(file))
            {
                disk.SetLength(s_extents.Max(static extent => extent.Start + extent.Count) * BlockSize);
            }

            SoftDeviceProcess device = await SoftDeviceProcess.StartWithBlocksAsync(bed.Folder, file, BlockSize, functions: 2, backing);
            bed.Add("end the device", () => device.DisposeAsync().AsTask());
            await device.ConfigureBlocksAsync(0, s_extents);
            await device.ConfigureBlocksAsync(1, s_extents);
            bed.Socket = device.BlockFunctionPath(0);

            DaemonProcess daemon = await DaemonProcess.StartAsync(
                new DaemonSetup
                {
                    HasSoftDevice = false,
                    MoreDevices = [$$"""{ "kind": "vhost-user-block", "name": "disks0", "disks": [ { "socket": "{{device.BlockFunctionPath(1)}}", "area": "disk" } ] }"""],
                },
                TestContext.Current.CancellationToken);
            bed.Add("end the daemon", () => daemon.DisposeAsync().AsTask());
            ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
            bed.Add("end the client", () => client.DisposeAsync().AsTask());
            bed.Storage = await client.BindStorageAsync(new StorageRequest { Area = "disk" }, TestContext.Current.CancellationToken);
            bed.Add("end the binding", () => bed.Storage.DisposeAsync().AsTask());
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>Notes what has to be undone before the device ends.</summary>
    public void Add(string what, Func<Task> undo) => _teardown.Add(what, undo);

    /// <summary>Writes through the rings, and flushes.</summary>
    public void Write(long block, ReadOnlySpan<byte> bytes)
    {
        BlockQueue queue = Storage.Queues[0];
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        for (; bytes.Length != 0; block++, bytes = bytes[BlockSize..])
        {
            bytes[..BlockSize].CopyTo(buffer.Span);
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Write, block, 1, buffer, 1, WriteDurability.Durable)));
        }

        queue.Buffers.Return(buffer);
    }

    /// <summary>Reads through the rings.</summary>
    public void Read(long block, Span<byte> bytes)
    {
        BlockQueue queue = Storage.Queues[0];
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        for (; bytes.Length != 0; block++, bytes = bytes[BlockSize..])
        {
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Read, block, 1, buffer, 1)));
            buffer.Span[..BlockSize].CopyTo(bytes);
        }

        queue.Buffers.Return(buffer);
    }

    /// <summary>Fails the test if something is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _teardown.RunAsync();
        Assert.Empty(_teardown.Failures);
    }
}
