using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Hardware.Tests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.Wire.Rings;

namespace Arrakis.Hardware.Tests.Nvme;

/// <summary>Storage areas on NVMe, bound through the daemon: a whole controller, and virtual functions of one.</summary>
public abstract class NvmeDaemonTests(string vfio)
{
    private const int Mebibyte = 1 << 20;
    private const int BufferSize = 16 << 10;

    [Fact]
    public async Task An_area_on_a_whole_controller_keeps_what_was_written_over_bindings()
    {
        await using DaemonProcess daemon = await StartAsync($"\"function\": \"{LabMachine.PlainNvme}\"");
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        AreaDescription made = await client.CreateAreaAsync("first", 4 * Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(("disk0", 512), (made.Device, made.BlockSize));
        var pattern = new DiskPattern(51, 0, Mebibyte);
        await using (StorageBinding storage = await BindAsync(client, "first"))
        {
            Assert.All(storage.Grant.Queues, static queue => Assert.Equal(RingFormat.Nvme, queue.Ring.Format));
            Assert.True(storage.Grant.HasSgl);
            Assert.Equal(
                StorageCapabilities.VolatileCache | StorageCapabilities.ForceUnitAccess | StorageCapabilities.Discard | StorageCapabilities.WriteZeroes, storage.Grant.Capabilities);
            await OnReactorAsync(storage, area => WriteAsync(area, pattern));
        }

        await using (StorageBinding storage = await BindAsync(client, "first"))
        {
            await OnReactorAsync(storage, area => CheckAsync(area, pattern));
        }
    }

    [Fact]
    public async Task Areas_on_two_functions_of_one_controller_are_bound_at_once_and_keep_apart()
    {
        await using DaemonProcess daemon = await StartAsync($"\"physicalFunction\": \"{LabMachine.Nvme}\", \"functions\": 2");
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("one", 2 * Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("two", 2 * Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        await using StorageBinding one = await BindAsync(client, "one");
        await using StorageBinding two = await BindAsync(client, "two");
        Assert.NotEqual(one.Grant.VirtualFunction, two.Grant.VirtualFunction);
        var first = new DiskPattern(61, 0, Mebibyte);
        var second = new DiskPattern(62, 0, Mebibyte);
        await OnReactorAsync(one, area => WriteAsync(area, first));
        await OnReactorAsync(two, area => WriteAsync(area, second));
        await OnReactorAsync(one, area => CheckAsync(area, first));
        await OnReactorAsync(two, area => CheckAsync(area, second));
    }

    [Fact]
    public async Task A_second_users_area_on_one_namespace_is_refused()
    {
        await using DaemonProcess daemon = await StartAsync($"\"function\": \"{LabMachine.PlainNvme}\"");
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("mine", Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        ArrakisException refused = await Assert.ThrowsAsync<ArrakisException>(
            async () => await client.CreateAreaAsync("theirs", Mebibyte, owner: LabMachine.FirstUser, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("disk0", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_binding_that_is_revoked_under_load_fails_its_requests_and_the_next_one_works()
    {
        await using DaemonProcess daemon = await StartAsync($"\"function\": \"{LabMachine.PlainNvme}\"");
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("first", 4 * Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        var pattern = new DiskPattern(71, 0, 512 << 10);
        await using (StorageBinding storage = await BindAsync(client, "first"))
        {
            await OnReactorAsync(storage, area => WriteAsync(area, pattern));
            using var reactor = Reactor.Start(storage);
            Task writing = reactor.RunAsync(async () =>
            {
                IStorageArea area = storage.Area;
                while (true)
                {
                    await WriteAsync(area, new DiskPattern(72, 2 * Mebibyte, 256 << 10));
                }
            });
            await client.RevokeAsync(storage.Grant.BindingId, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<BindingRevokedException>(() => writing);
        }

        await using (StorageBinding storage = await BindAsync(client, "first"))
        {
            await OnReactorAsync(storage, area => CheckAsync(area, pattern));
        }
    }

    [Fact]
    public async Task A_log_whose_binding_is_revoked_has_every_append_that_was_completed()
    {
        await using DaemonProcess daemon = await StartAsync($"\"function\": \"{LabMachine.PlainNvme}\"");
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("log", 16 * Mebibyte, cancellationToken: TestContext.Current.CancellationToken);
        int completed = 0;
        await using (StorageBinding storage = await BindAsync(client, "log"))
        {
            using var reactor = Reactor.Start(storage);
            Task appending = reactor.RunAsync(async () =>
            {
                PersistentLog log = await PersistentLog.CreateAsync(storage.Area);
                while (true)
                {
                    _ = await log.AppendAsync(Record(completed));
                    Volatile.Write(ref completed, completed + 1);
                }
            });
            await daemon.UntilAsync(() => Volatile.Read(ref completed) >= 50 || appending.IsCompleted, "fifty appends", TestContext.Current.CancellationToken);
            await client.RevokeAsync(storage.Grant.BindingId, RevocationMode.Invisible, cancellationToken: TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<BindingRevokedException>(() => appending);
        }

        int found = 0;
        await using (StorageBinding storage = await BindAsync(client, "log"))
        {
            await OnReactorAsync(storage, async area =>
            {
                await using PersistentLog log = await PersistentLog.OpenAsync(area);
                await foreach (LogRecord record in log.ReadAsync(TestContext.Current.CancellationToken))
                {
                    Assert.Equal(Record(found++), record.Data.ToArray());
                }
            });
        }

        Assert.InRange(found, completed, completed + 1); // The one that was under way may be there.
    }

    private static byte[] Record(int number)
    {
        byte[] bytes = new byte[100];
        bytes.AsSpan().Fill((byte)number);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
        return bytes;
    }

    private static Task<DaemonProcess> StartAsync(string functions, string vfio) => DaemonProcess.StartAsync(
        new DaemonSetup { HasSoftDevice = false, MoreDevices = [$$"""{ "kind": "nvme", "name": "disk0", {{functions}}, "vfio": "{{vfio}}" }"""] },
        TestContext.Current.CancellationToken);

    private static async Task<StorageBinding> BindAsync(ArrakisClient client, string area) => await client.BindStorageAsync(
        new StorageRequest { Area = area, QueueSize = 64, Buffers = 32, BufferSize = BufferSize }, TestContext.Current.CancellationToken);

    private static async Task OnReactorAsync(StorageBinding storage, Func<IStorageArea, Task> work)
    {
        using var reactor = Reactor.Start(storage);
        await reactor.RunAsync(() => work(storage.Area));
    }

    private static async Task WriteAsync(IStorageArea area, DiskPattern pattern)
    {
        Assert.True(area.Buffers.TryRent(out BlockBuffer buffer));
        try
        {
            for (long place = pattern.Start; place < pattern.Start + pattern.Length; place += BufferSize)
            {
                pattern.Fill(buffer.Span, place);
                await area.WriteAsync(place / area.BlockSize, buffer, BufferSize, place % (4 * BufferSize) == 0 ? WriteDurability.Durable : WriteDurability.Cached);
            }

            await area.FlushAsync();
        }
        finally
        {
            area.Buffers.Return(buffer);
        }
    }

    private static async Task CheckAsync(IStorageArea area, DiskPattern pattern)
    {
        Assert.True(area.Buffers.TryRent(out BlockBuffer buffer));
        for (long place = pattern.Start; place < pattern.Start + pattern.Length; place += BufferSize)
        {
            buffer.Span.Clear();
            await area.ReadAsync(place / area.BlockSize, buffer, BufferSize);
            pattern.Check(buffer.Span, place);
        }

        area.Buffers.Return(buffer);
    }

    private Task<DaemonProcess> StartAsync(string functions) => StartAsync(functions, vfio);
}

/// <inheritdoc/>
public sealed class NvmeDaemonOverGroup() : NvmeDaemonTests("group");

/// <inheritdoc/>
public sealed class NvmeDaemonOverCdev() : NvmeDaemonTests("cdev");
