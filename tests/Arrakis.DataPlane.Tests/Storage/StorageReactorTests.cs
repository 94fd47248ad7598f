using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.TestBed.Storage;
using static Arrakis.DataPlane.Tests.Storage.BlockFormats;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>Reactors that poll block queues, alone and beside a NIC's.</summary>
public sealed class StorageReactorTests
{
    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Code_resumes_on_the_reactors_thread(IdlePolicy idle)
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        using Reactor reactor = Reactor.Start(storage, core: null, idle);
        Assert.Equal(storage.Queues, reactor.BlockQueues);
        Assert.Throws<InvalidOperationException>(() => reactor.Queue);
        Task work = reactor.RunAsync(async () =>
        {
            Assert.Throws<InvalidOperationException>(() => new UdpSocket(7));
            int thread = Environment.CurrentManagedThreadId;
            BlockBuffer buffer = Filled(storage.Queues[0], 0x77);
            for (int i = 0; i < 500; i++)
            {
                await storage.Area.WriteAsync(i % 256, buffer, 4096, WriteDurability.Durable);
                Assert.Equal(thread, Environment.CurrentManagedThreadId);
            }

            await Reactor.Delay(TimeSpan.FromMilliseconds(3));
            await storage.Area.FlushAsync();
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
        });
        await ServeUntil(device, work);
        Assert.Throws<InvalidOperationException>(() => _ = storage.Area.FlushAsync());
        Assert.Throws<InvalidOperationException>(() => storage.Queues[0].Poll());
        Assert.Throws<InvalidOperationException>(() => storage.Queues[0].Submit([]));
    }

    [Fact]
    public async Task A_reactor_that_sleeps_is_woken_by_the_device()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        using Reactor reactor = Reactor.Start(storage);
        Task work = reactor.RunAsync(async () =>
        {
            BlockBuffer buffer = Filled(storage.Queues[0], 1);
            for (int i = 0; i < 20; i++)
            {
                await storage.Area.WriteAsync(i, buffer, 4096, WriteDurability.Cached);
            }
        });
        long start = Environment.TickCount64;
        for (int served = 0; served < 20;)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken); // By now it sleeps.
            served += device.Poll();
            Assert.True(Environment.TickCount64 - start < 60_000, "requests are lost");
        }

        await work.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_nic_and_two_areas_share_a_thread()
    {
        using var nicDevice = new TestDevice();
        await using NicBinding nic = nicDevice.Bind();
        using var one = new MemoryBlockDevice();
        await using StorageBinding first = one.Bind();
        using var two = new MemoryBlockDevice();
        await using StorageBinding second = two.Bind();
        using Reactor reactor = Reactor.Start(nic.Queues[0], [first.Queues[0], second.Queues[0]]);
        var bound = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously); // What comes before is for nobody.
        Task work = reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            bound.SetResult();
            byte[] bytes = new byte[100];
            BlockBuffer buffer = Filled(first.Queues[0], 0);
            BlockBuffer other = Filled(second.Queues[0], 0);
            for (int i = 0; i < 50; i++)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(bytes);
                bytes.AsSpan(0, length).CopyTo(buffer.Span);
                await first.Area.WriteAsync(i, buffer, 4096, WriteDurability.Durable);
                await first.Area.ReadAsync(i, buffer, 4096);
                buffer.Span.CopyTo(other.Span);
                await second.Area.WriteAsync(i, other, 4096, WriteDurability.Durable);
                await socket.SendToAsync(other.Span[..length].ToArray(), from);
            }
        });
        await bound.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        for (int i = 0; i < 50; i++)
        {
            nicDevice.Deliver(TestFrames.Udp(1, 7, [(byte)i, 2, 3]));
            byte[]? sent = null;
            long start = Environment.TickCount64;
            while (sent is null)
            {
                _ = one.Poll() + two.Poll();
                Assert.True(Environment.TickCount64 - start < 60_000, "no answer");
                sent = nicDevice.TryTakeSent();
                if (sent is not null && TestFrames.IsArp(sent))
                {
                    if (TestFrames.AnswerArp(sent) is { } answer)
                    {
                        nicDevice.Deliver(answer);
                    }

                    sent = null;
                }
            }

            Assert.Equal([(byte)i, 2, 3], TestFrames.ReadUdp(sent).Payload);
        }

        await work.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(49, ((MemoryMedium)two.Medium).Bytes[49 * 4096]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_binding_taken_leaves_the_others_of_the_thread_alone(bool takesStorage)
    {
        using var nicDevice = new TestDevice();
        await using NicBinding nic = nicDevice.Bind();
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        using Reactor reactor = Reactor.Start(nic.Queues[0], [storage.Queues[0]]);
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        Task write = reactor.RunAsync(async () => await storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable));
        Task receive = reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            _ = await socket.ReceiveFromAsync(new byte[10]);
        });
        await reactor.RunAsync(static () => Task.CompletedTask).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        if (takesStorage)
        {
            device.SetState(BindingState.Revoked);
            await Assert.ThrowsAsync<BindingRevokedException>(() => write.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.False(receive.IsCompleted);
            nicDevice.Deliver(TestFrames.Udp(1, 7, "here"u8));
            await receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        }
        else
        {
            nicDevice.SetState(BindingState.Revoked);
            await Assert.ThrowsAsync<BindingRevokedException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.False(write.IsCompleted);
            await ServeUntil(device, write);
            await ServeUntil(device, reactor.RunAsync(async () => await Reactor.Delay(TimeSpan.FromMilliseconds(2))));
        }
    }

    [Fact]
    public async Task A_binding_may_be_disposed_under_a_reactor_and_a_reactor_end_before_its_requests()
    {
        using var device = new MemoryBlockDevice();
        StorageBinding storage = device.Bind();
        BlockBuffer buffer = Filled(storage.Queues[0], 1);
        Task first;
        using (Reactor reactor = Reactor.Start(storage))
        {
            first = reactor.RunAsync(async () => await storage.Area.WriteAsync(0, buffer, 4096, WriteDurability.Durable));
            await reactor.RunAsync(static () => Task.CompletedTask);
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => first.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        storage.Queues[0].Buffers.Return(buffer);
        using (Reactor reactor = Reactor.Start(storage))
        {
            Task second = reactor.RunAsync(async () => await storage.Area.WriteAsync(0, Filled(storage.Queues[0], 2), 4096, WriteDurability.Durable));
            await ServeUntil(device, second); // What the first reactor left comes back late.
            Task third = reactor.RunAsync(async () => await storage.Area.WriteAsync(0, Filled(storage.Queues[0], 2), 4096, WriteDurability.Durable));
            await reactor.RunAsync(static () => Task.CompletedTask);
            await storage.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<ObjectDisposedException>(() => third.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task A_queue_has_one_poller()
    {
        using var device = new MemoryBlockDevice();
        await using StorageBinding storage = device.Bind();
        using var nicDevice = new TestDevice();
        await using NicBinding nic = nicDevice.Bind();
        using (Reactor.Start(storage))
        {
            Assert.Throws<InvalidOperationException>(() => Reactor.Start(storage));
            Assert.Throws<InvalidOperationException>(() => Reactor.Start(nic.Queues[0], [storage.Queues[0]]));
        }

        using (Reactor.Start(nic.Queues[0], [storage.Queues[0]]))
        {
            Assert.Throws<InvalidOperationException>(() => Reactor.Start(nic));
        }

        Assert.Throws<ArgumentException>(() => Reactor.Start(queue: null, []));
        Assert.Throws<InvalidOperationException>(() => Reactor.Start(queue: null, [storage.Queues[0], storage.Queues[0]]));
        Run(device, storage.Queues[0], storage.Area.FlushAsync());
    }

    private static async Task ServeUntil(MemoryBlockDevice device, Task work)
    {
        long start = Environment.TickCount64;
        while (!work.IsCompleted)
        {
            _ = device.Poll();
            Assert.True(Environment.TickCount64 - start < 60_000, "waited in vain");
            Thread.Yield();
        }

        await work;
    }
}
