using System.Text;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.DataPlane.Tests.Nic;
using Arrakis.Native;

namespace Arrakis.DataPlane.Tests.Bindings;

/// <summary>The client against a daemon that answers well, badly, or not at all.</summary>
public sealed class ArrakisClientTests
{
    private static readonly NicRequest s_request = new() { Device = "test0" };

    private static CancellationToken Limit => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_daemon_that_is_not_there_is_an_error_with_a_remedy()
    {
        string path = $"/tmp/arrakis-nobody-{Environment.ProcessId}.sock";
        ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await ArrakisClient.ConnectAsync(path, Limit));
        Assert.Equal(ErrorCode.DaemonUnavailable, error.Code);
        Assert.Contains(path, error.Cause, StringComparison.Ordinal);
        Assert.Contains("systemctl start", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_file_that_nobody_listens_at_is_the_same_error()
    {
        string path = $"/tmp/arrakis-dead-{Environment.ProcessId}.sock";
        Native.Sockets.UnixSocket.Listen(path, Native.Sockets.UnixSocketKind.SequencedPacket, 1, UnixFileMode.UserRead).Dispose();
        try
        {
            ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await ArrakisClient.ConnectAsync(path, Limit));
            Assert.Equal(ErrorCode.DaemonUnavailable, error.Code);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_binding_is_bound_used_and_released()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) => Bind(device, request, connection, static d => d));
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        await using (NicBinding nic = await client.BindNicAsync(s_request, Limit))
        {
            PollingTests.AssertAlive(device, nic);
        }

        Assert.Collection(
            daemon.Requests,
            static r => Assert.IsType<HelloRequest>(r),
            static r => Assert.Equal("test0", Assert.IsType<BindNicRequest>(r).Device),
            static r => Assert.Equal((42UL, 7u), (Assert.IsType<ReleaseRequest>(r).BindingId, ((ReleaseRequest)r).Generation)));
        Assert.Equal(daemon.Requests.Select(static r => r.Id).Order(), daemon.Requests.Select(static r => r.Id));
    }

    [Fact]
    public async Task Disposing_the_client_releases_what_it_has_bound()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) => Bind(device, request, connection, static d => d));
        ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        NicBinding nic = await client.BindNicAsync(s_request, Limit);
        await client.DisposeAsync();
        await client.DisposeAsync();
        Assert.Single(daemon.Requests.OfType<ReleaseRequest>());
        await nic.DisposeAsync();
        Assert.Single(daemon.Requests.OfType<ReleaseRequest>());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.ListBindingsAsync(Limit));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_grant_with_too_few_descriptors_is_refused_and_given_back(int count)
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) => Bind(device, request, connection, d => d[..count]));
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        await Assert.ThrowsAsync<InvalidGrantException>(async () => await client.BindNicAsync(s_request, Limit));
        Assert.Equal(42UL, Assert.Single(daemon.Requests.OfType<ReleaseRequest>()).BindingId);
    }

    [Fact]
    public async Task Descriptors_in_the_wrong_order_are_refused_and_given_back()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) => Bind(device, request, connection, static d => [.. d.Reverse()]));
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        await Assert.ThrowsAsync<InvalidGrantException>(async () => await client.BindNicAsync(s_request, Limit));
        Assert.Single(daemon.Requests.OfType<ReleaseRequest>());
    }

    [Fact]
    public async Task An_error_reply_is_an_exception_with_its_code_cause_and_remedy_and_the_conversation_goes_on()
    {
        foreach (ErrorCode code in Enum.GetValues<ErrorCode>())
        {
            await using var daemon = new FakeDaemon((request, connection) =>
            {
                if (request is not BindNicRequest)
                {
                    return false;
                }

                connection.Reply(new ErrorReply { Id = request.Id, Code = code, Cause = "What is wrong.", Remedy = "What to do." });
                return true;
            });
            await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
            ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await client.BindNicAsync(s_request, Limit));
            Assert.Equal((code, "What is wrong.", "What to do."), (error.Code, error.Cause, error.Remedy));
            await client.ReleaseAsync(1, 1, Limit);
        }
    }

    [Fact]
    public async Task Another_version_is_refused_by_either_side()
    {
        await using var newer = new FakeDaemon((request, connection) =>
        {
            connection.Reply(new HelloReply { Id = request.Id, Version = 99, Daemon = "newer" });
            return true;
        });
        ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await ArrakisClient.ConnectAsync(newer.Path, Limit));
        Assert.Equal(ErrorCode.UnsupportedVersion, error.Code);
        Assert.Contains("99", error.Cause, StringComparison.Ordinal);
        await using var refusing = new FakeDaemon((_, connection) =>
        {
            connection.Reply(new ErrorReply { Id = 0, Code = ErrorCode.TooManyConnections, Cause = "Too many.", Remedy = "Wait." });
            return true;
        });
        error = await Assert.ThrowsAsync<ArrakisException>(async () => await ArrakisClient.ConnectAsync(refusing.Path, Limit));
        Assert.Equal(ErrorCode.TooManyConnections, error.Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not JSON")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"type\":\"done\"}")]
    [InlineData("{\"type\":\"nonsense\",\"id\":2}")]
    [InlineData("{\"type\":\"done\",\"id\":-1}")]
    [InlineData("{\"type\":\"done\",\"id\":2")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":2,\"grant\":null}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":2,\"grant\":{}}")]
    [InlineData("\u0000\u0001\u0002")]
    public async Task A_reply_that_cannot_be_read_ends_the_conversation_and_closes_its_descriptors(string packet)
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) =>
        {
            if (request is not BindNicRequest)
            {
                return false;
            }

            Descriptor[] descriptors = device.Descriptors();
            connection.Send(Encoding.UTF8.GetBytes(packet.Length == 0 ? " " : packet), descriptors);
            Array.ForEach(descriptors, static d => d.Dispose());
            return true;
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        await Round(); // Once for what the runtime opens on first use.
        int before = DisposalTests.OpenDescriptors();
        await Round();
        SocketBench.WaitUntil(() => DisposalTests.OpenDescriptors() <= before, "the daemon's end of the broken conversation is closed");
        Assert.Equal(3, daemon.Requests.OfType<HelloRequest>().Count());

        async Task Round()
        {
            ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await client.BindNicAsync(s_request, Limit));
            Assert.Equal(ErrorCode.MalformedMessage, error.Code);
            Assert.NotEmpty(error.Remedy);
            await client.ReleaseAsync(1, 1, Limit); // On a new conversation.
        }
    }

    [Fact]
    public async Task A_reply_that_is_too_large_ends_the_conversation()
    {
        await using var daemon = new FakeDaemon(static (request, connection) =>
        {
            if (request is not ListBindingsRequest)
            {
                return false;
            }

            connection.Send(new byte[ControlProtocol.MaxMessageLength + 1]);
            return true;
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await client.ListBindingsAsync(Limit));
        Assert.Equal(ErrorCode.MessageTooLarge, error.Code);
    }

    [Fact]
    public async Task A_reply_of_another_kind_is_an_error_and_its_descriptors_are_closed()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) =>
        {
            switch (request)
            {
                case ListBindingsRequest:
                    return Grant(device, request, connection, static d => d);
                case BindNicRequest:
                    connection.Reply(new DoneReply { Id = request.Id }, device.Event.Descriptor);
                    return true;
                default:
                    return false;
            }
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        int before = DisposalTests.OpenDescriptors();
        Assert.Equal(ErrorCode.UnsupportedVersion, (await Assert.ThrowsAsync<ArrakisException>(async () => await client.ListBindingsAsync(Limit))).Code);
        Assert.Equal(ErrorCode.UnsupportedVersion, (await Assert.ThrowsAsync<ArrakisException>(async () => await client.BindNicAsync(s_request, Limit))).Code);
        Assert.Equal(before, DisposalTests.OpenDescriptors());
    }

    [Fact]
    public async Task A_reply_that_nobody_asked_for_is_passed_over_and_its_descriptors_are_closed()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) =>
        {
            if (request is ListBindingsRequest)
            {
                connection.Reply(new DoneReply { Id = 9999 }, device.Event.Descriptor);
                connection.Reply(new DoneReply { Id = 1 }); // Answered before.
                connection.Reply(new BindingsReply { Id = request.Id, Bindings = [] });
                return true;
            }

            return false;
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        int before = DisposalTests.OpenDescriptors();
        Assert.Empty(await client.ListBindingsAsync(Limit));
        Assert.Equal(before, DisposalTests.OpenDescriptors());
    }

    [Fact]
    public async Task A_grant_that_comes_after_its_request_was_cancelled_is_given_back()
    {
        using var device = new TestDevice();
        using var asked = new SemaphoreSlim(0);
        using var cancelled = new SemaphoreSlim(0);
        using var released = new SemaphoreSlim(0);
        await using var daemon = new FakeDaemon((request, connection) =>
        {
            switch (request)
            {
                case BindNicRequest:
                    asked.Release();
                    cancelled.Wait(TestDevice.Deadline);
                    return Bind(device, request, connection, static d => d);
                case ReleaseRequest:
                    released.Release();
                    return false;
                default:
                    return false;
            }
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        int before = DisposalTests.OpenDescriptors();
        using var stop = new CancellationTokenSource();
        Task<NicBinding> bind = client.BindNicAsync(s_request, stop.Token).AsTask();
        Assert.True(await asked.WaitAsync(TestDevice.Deadline, Limit));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bind);
        cancelled.Release();
        Assert.True(await released.WaitAsync(TestDevice.Deadline, Limit));
        Assert.Equal((42UL, 7u), (daemon.Requests.OfType<ReleaseRequest>().Single().BindingId, daemon.Requests.OfType<ReleaseRequest>().Single().Generation));
        Assert.Equal(before, DisposalTests.OpenDescriptors());
    }

    [Fact]
    public async Task A_daemon_that_hangs_up_in_the_middle_fails_all_who_wait_and_the_next_request_connects_again()
    {
        int hangUps = 0;
        await using var daemon = new FakeDaemon((request, connection) =>
        {
            if (request is ListDevicesRequest && Interlocked.Increment(ref hangUps) == 1)
            {
                connection.HangUp();
                return true;
            }

            return request is ListBindingsRequest; // Never answered.
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        Task[] waiting = [client.ListBindingsAsync(Limit).AsTask(), client.ListBindingsAsync(Limit).AsTask(), client.ListDevicesAsync(Limit).AsTask()];
        foreach (Task task in waiting)
        {
            Assert.Equal(ErrorCode.DaemonUnavailable, (await Assert.ThrowsAsync<ArrakisException>(() => task.WaitAsync(TestDevice.Deadline, Limit))).Code);
        }

        await client.ReleaseAsync(1, 1, Limit);
    }

    [Fact]
    public async Task A_daemon_that_starts_again_gets_the_release_that_it_missed()
    {
        using var device = new TestDevice();
        var first = new FakeDaemon((request, connection) => Bind(device, request, connection, static d => d));
        ArrakisClient client = await ArrakisClient.ConnectAsync(first.Path, Limit);
        NicBinding nic = await client.BindNicAsync(s_request, Limit);
        await first.DisposeAsync();
        PollingTests.AssertAlive(device, nic); // The binding needs no daemon.
        await using var second = new FakeDaemon(static (_, _) => false, first.Path);
        await nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, Limit);
        Assert.Equal(42UL, Assert.Single(second.Requests.OfType<ReleaseRequest>()).BindingId);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Many_requests_at_once_find_their_own_replies()
    {
        await using var daemon = new FakeDaemon(static (request, connection) =>
        {
            if (request is not DescribeRequest describe)
            {
                return false;
            }

            connection.Reply(new ErrorReply { Id = request.Id, Code = ErrorCode.UnknownBinding, Cause = $"{describe.BindingId}", Remedy = "-" });
            return true;
        });
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => Task.Run(
            async () =>
            {
                ArrakisException error = await Assert.ThrowsAsync<ArrakisException>(async () => await client.DescribeAsync((ulong)i, Limit));
                Assert.Equal($"{i}", error.Cause);
            },
            Limit)));
        ulong[] ids = [.. daemon.Requests.Select(static r => r.Id)];
        Assert.Equal(ids.Order(), ids);
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Fact]
    public async Task A_client_leaves_no_descriptor_whatever_happens()
    {
        using var device = new TestDevice();
        await using var daemon = new FakeDaemon((request, connection) => Bind(device, request, connection, static d => d));
        await Round();
        int before = DisposalTests.OpenDescriptors();
        for (int i = 0; i < 20; i++)
        {
            await Round();
        }

        SocketBench.WaitUntil(() => DisposalTests.OpenDescriptors() <= before, "the daemon's ends are closed");

        async Task Round()
        {
            await using ArrakisClient client = await ArrakisClient.ConnectAsync(daemon.Path, Limit);
            await using NicBinding nic = await client.BindNicAsync(s_request, Limit);
        }
    }

    private static bool Bind(TestDevice device, ControlRequest request, FakeDaemon.Connection connection, Func<Descriptor[], Descriptor[]> choose) =>
        request is BindNicRequest && Grant(device, request, connection, choose);

    private static bool Grant(TestDevice device, ControlRequest request, FakeDaemon.Connection connection, Func<Descriptor[], Descriptor[]> choose)
    {
        Descriptor[] descriptors = device.Descriptors();
        connection.Reply(new BindNicReply { Id = request.Id, Grant = device.Grant }, choose(descriptors));
        Array.ForEach(descriptors, static d => d.Dispose());
        return true;
    }
}
