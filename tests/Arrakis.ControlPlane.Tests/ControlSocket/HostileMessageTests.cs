using System.Text;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>What a client may not send to a real daemon. Each time, another client's conversation and binding go on.</summary>
public sealed class HostileMessageTests(DaemonFixture fixture) : IClassFixture<DaemonFixture>
{
    private string Path => fixture.Daemon.ControlSocket;

    [Theory]
    [InlineData("{")]
    [InlineData("hello")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("42")]
    [InlineData("{}")]
    [InlineData("{\"type\":\"hello\"}")]
    [InlineData("{\"type\":\"hello\",\"id\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1,\"more\":true}")]
    [InlineData("{\"type\":\"hello\",\"id\":-1,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":99999999999}")]
    [InlineData("{\"type\":\"format-disk\",\"id\":1}")]
    [InlineData("{\"id\":1,\"version\":1,\"type\":\"hello\"}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":null}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[null]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"mac\":\"02:00\"}")]
    [InlineData("{\"type\":\"revoke\",\"id\":1,\"bindingId\":1,\"mode\":7}")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")]
    [InlineData("\0\0\0\0")]
    public async Task A_message_that_cannot_be_read_is_answered_so_and_the_connection_goes_on(string text)
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        using RawClient bad = RawClient.Connect(Path);
        await bad.SendAsync(text);
        _ = await bad.ReceiveErrorAsync(ErrorCode.MalformedMessage);
        await AssertWorksAsync(good);
        _ = Assert.IsType<HelloReply>(await bad.AskAsync(new HelloRequest { Id = 100, Version = ControlProtocol.Version }));
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_malformed()
    {
        using RawClient bad = RawClient.Connect(Path);
        await bad.SendAsync([0xFF, 0xFE, 0x80, 0xC0]);
        _ = await bad.ReceiveErrorAsync(ErrorCode.MalformedMessage);
    }

    [Fact]
    public async Task A_message_over_the_bound_is_refused_and_the_connection_closed()
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        using RawClient bad = await RawClient.GreetAsync(Path);
        await bad.SendAsync(Encoding.UTF8.GetBytes(new string(' ', ControlProtocol.MaxMessageLength + 1)));
        _ = await bad.ReceiveErrorAsync(ErrorCode.MessageTooLarge);
        await bad.AssertClosedAsync();
        await AssertWorksAsync(good);
    }

    [Fact]
    public async Task A_message_of_exactly_the_bound_is_read()
    {
        using RawClient client = RawClient.Connect(Path);
        byte[] hello = MessageCodec.Encode(new HelloRequest { Id = 1, Version = ControlProtocol.Version });
        await client.SendAsync([.. hello, .. Enumerable.Repeat((byte)' ', ControlProtocol.MaxMessageLength - hello.Length)]);
        _ = Assert.IsType<HelloReply>(await client.ReceiveAsync());
    }

    [Fact]
    public async Task An_empty_message_is_answered_and_closes_the_connection()
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        using RawClient bad = await RawClient.GreetAsync(Path);
        await bad.SendAsync([]);
        _ = await bad.ReceiveErrorAsync(ErrorCode.MalformedMessage);
        await bad.AssertClosedAsync();
        await AssertWorksAsync(good);
    }

    [Fact]
    public async Task An_id_that_does_not_grow_is_a_replay()
    {
        using RawClient client = await RawClient.GreetAsync(Path);
        _ = await client.AskErrorAsync(ErrorCode.Replayed, new ListBindingsRequest { Id = 1 });
        _ = Assert.IsType<BindingsReply>(await client.AskAsync(new ListBindingsRequest { Id = 9 }));
        ErrorReply again = await client.AskErrorAsync(ErrorCode.Replayed, new ListBindingsRequest { Id = 9 });
        Assert.Equal(9UL, again.Id);
        _ = await client.AskErrorAsync(ErrorCode.Replayed, new ListBindingsRequest { Id = 0 });
        _ = Assert.IsType<BindingsReply>(await client.AskAsync(new ListBindingsRequest { Id = 10 }));
    }

    [Fact]
    public async Task Nothing_is_answered_before_hello_and_hello_is_said_once()
    {
        using RawClient client = RawClient.Connect(Path);
        _ = await client.AskErrorAsync(ErrorCode.OutOfOrder, new ListBindingsRequest { Id = 1 });
        _ = await client.AskErrorAsync(ErrorCode.OutOfOrder, new BindNicRequest { Id = 2 });
        _ = Assert.IsType<HelloReply>(await client.AskAsync(new HelloRequest { Id = 3, Version = ControlProtocol.Version }));
        _ = await client.AskErrorAsync(ErrorCode.OutOfOrder, new HelloRequest { Id = 4, Version = ControlProtocol.Version });
        _ = Assert.IsType<BindingsReply>(await client.AskAsync(new ListBindingsRequest { Id = 5 }));
    }

    [Fact]
    public async Task Another_version_is_refused_and_the_connection_closed()
    {
        using RawClient client = RawClient.Connect(Path);
        ErrorReply error = await client.AskErrorAsync(ErrorCode.UnsupportedVersion, new HelloRequest { Id = 1, Version = 2 });
        Assert.Contains("version 1, not 2", error.Cause, StringComparison.Ordinal);
        await client.AssertClosedAsync();
    }

    [Theory]
    [InlineData("memory", 1)]
    [InlineData("socket", 2)]
    [InlineData("event", 1)]
    [InlineData("process", 3)]
    [InlineData("memory", UnixSocket.MaxDescriptors)]
    public async Task Descriptors_that_no_request_takes_are_refused_and_closed(string kind, int count)
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        using RawClient bad = await RawClient.GreetAsync(Path);
        int before = fixture.OpenCount;
        using Sent sent = Sent.Make(kind);
        for (int i = 0; i < 10; i++)
        {
            await bad.SendAsync(MessageCodec.Encode(new ListBindingsRequest { Id = bad.NextId() }), [.. Enumerable.Repeat(sent.Descriptor, count)]);
            ErrorReply error = await bad.ReceiveErrorAsync(ErrorCode.WrongDescriptors);
            Assert.Contains($"{count} descriptors", error.Cause, StringComparison.Ordinal);
        }

        await bad.SendAsync("garbage", sent.Descriptor);
        _ = await bad.ReceiveErrorAsync(ErrorCode.MalformedMessage);
        await fixture.Daemon.UntilAsync(() => fixture.OpenCount <= before, "as few descriptors as before");
        await AssertWorksAsync(good);
    }

    [Fact]
    public async Task A_disconnect_in_the_middle_of_a_bind_leaves_nothing_bound()
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        int before = fixture.OpenCount;
        for (int i = 0; i < 20; i++)
        {
            using RawClient leaving = await RawClient.GreetAsync(Path);
            await leaving.SendAsync(MessageCodec.Encode(new BindNicRequest { Id = leaving.NextId(), Device = "soft0", QueueSize = 64, Buffers = 16 }));
        }

        await fixture.Daemon.UntilAsync(async () => (await good.ListAsync()).Count == 0, "no binding left");
        await AssertWorksAsync(good);
        await fixture.Daemon.UntilAsync(() => fixture.OpenCount <= before, "as few descriptors as before");
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_and_holds_nobody_up()
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        using RawClient slow = await RawClient.GreetAsync(Path);
        byte[] list = [];
        int sent = 0;
        try
        {
            // Until the daemon reads no more: its replies fill the socket, and so do the requests.
            do
            {
                list = MessageCodec.Encode(new ListDevicesRequest { Id = slow.NextId() });
                sent++;
            }
            while (slow.Socket.TrySend(list) > 0);
        }
        catch (LinuxException)
        {
            // It has cut the connection already.
        }

        Assert.True(sent > 16);
        await AssertWorksAsync(good);
        await fixture.Daemon.UntilAsync(() => fixture.Daemon.Log.Contains("does not read its replies", StringComparison.Ordinal), "a word on the slow reader");
        await AssertWorksAsync(good);
    }

    [Fact]
    public async Task A_thousand_connections_that_say_nothing_crowd_out_only_each_other()
    {
        using RawClient good = await RawClient.GreetAsync(Path);
        int before = fixture.OpenCount;
        List<RawClient> silent = [];
        try
        {
            for (int i = 0; i < 1000; i++)
            {
                silent.Add(RawClient.Connect(Path));
            }

            await AssertWorksAsync(good);
            using RawClient late = await RawClient.GreetAsync(Path);
            await AssertWorksAsync(late);
        }
        finally
        {
            silent.ForEach(static client => client.Dispose());
        }

        await AssertWorksAsync(good);
        await fixture.Daemon.UntilAsync(() => fixture.OpenCount <= before, "as few descriptors as before");
    }

    private static async Task AssertWorksAsync(RawClient client)
    {
        (Grant grant, IReadOnlyList<Descriptor> descriptors) = await client.BindAsync();
        Assert.Equal(5, descriptors.Count);
        Assert.Contains(await client.ListAsync(), binding => binding.BindingId == grant.BindingId && binding is { State: BindingState.Active, LinkUp: true });
        await client.ReleaseAsync(grant);
        foreach (Descriptor descriptor in descriptors)
        {
            descriptor.Dispose();
        }
    }

    /// <summary>A descriptor of a kind, and what has to be disposed with it.</summary>
    private sealed record Sent(Descriptor Descriptor, IDisposable? Other) : IDisposable
    {
        internal static Sent Make(string kind)
        {
            switch (kind)
            {
                case "memory":
                    return new Sent(MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly).Descriptor, null);
                case "event":
                    return new Sent(new EventFd().Descriptor, null);
                case "process":
                    return new Sent(ProcessDescriptor.Open(Environment.ProcessId).Descriptor, null);
                default:
                    (UnixSocket first, UnixSocket second) = UnixSocket.Pair(UnixSocketKind.Stream);
                    return new Sent(first.Descriptor, second);
            }
        }

        public void Dispose()
        {
            Descriptor.Dispose();
            Other?.Dispose();
        }
    }
}
