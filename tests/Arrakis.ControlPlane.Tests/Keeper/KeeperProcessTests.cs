using System.Globalization;
using System.Text;
using System.Text.Json;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.ControlPlane.Tests.Keeper;

/// <summary>The keeper as a process: what it is given stays, whatever is said to it.</summary>
public sealed class KeeperProcessTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static int s_count;

    private readonly string _path = string.Create(CultureInfo.InvariantCulture, $"/run/arrakis-keeper-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}.sock");
    private readonly ReadinessLoop _loop = new();
    private ChildProcess _keeper = null!;
    private UnixSocket _socket = null!;

    public async ValueTask InitializeAsync()
    {
        _keeper = ChildProcess.Start("keeper", null, Programs.Daemon, ["keeper", "--socket", _path], ChildEnding.Signal);
        _socket = await ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _keeper.DisposeAsync();
        _loop.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public async Task It_hands_out_what_it_was_given_and_not_what_was_removed()
    {
        using MemoryFile first = MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly);
        using MemoryFile second = MemoryFile.Create("arrakis-test", 8192, PagePreference.BaseOnly);
        Assert.Null((await AskAsync(KeeperOperation.Put, ["a", "b"], first.Descriptor, second.Descriptor)).Reply.Fault);
        Assert.Null((await AskAsync(KeeperOperation.Put, ["a"], second.Descriptor)).Reply.Fault);
        Assert.Equal([("a", 8192L), ("b", 8192L)], await ListAsync());
        _ = await AskAsync(KeeperOperation.Remove, ["b", "never there"]);
        Assert.Equal([("a", 8192L)], await ListAsync());
    }

    [Fact]
    public async Task What_is_kept_outlives_the_daemon_and_pages_of_it_are_handed_out()
    {
        using MemoryFile file = MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly);
        string[] names = [.. Enumerable.Range(0, 70).Select(static i => $"name-{i:00}")];
        foreach (string[] part in names.Chunk(UnixSocket.MaxDescriptors))
        {
            _ = await AskAsync(KeeperOperation.Put, part, [.. Enumerable.Repeat(file.Descriptor, part.Length)]);
        }

        _socket.Dispose();
        _socket = await ConnectAsync();
        Assert.Equal(names, (await ListAsync()).Select(static entry => entry.Name));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"operation\":\"Put\"}")]
    [InlineData("{\"operation\":\"Put\",\"names\":[\"x\"]}")]
    [InlineData("{\"operation\":\"Put\",\"names\":null}")]
    [InlineData("{\"operation\":\"Remove\",\"names\":[null]}")]
    [InlineData("{\"operation\":\"List\",\"names\":[null]}")]
    [InlineData("{\"operation\":\"Burn\",\"names\":[]}")]
    [InlineData("{\"operation\":77,\"names\":[]}")]
    [InlineData("{\"operation\":\"List\",\"names\":[],\"more\":1}")]
    public async Task A_message_that_makes_no_sense_is_refused_and_nothing_is_lost(string text)
    {
        using MemoryFile file = MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly);
        _ = await AskAsync(KeeperOperation.Put, ["kept"], file.Descriptor);
        Assert.NotNull((await SendAsync(Encoding.UTF8.GetBytes(text))).Reply.Fault);
        Assert.Equal([("kept", 4096L)], await ListAsync());
    }

    [Fact]
    public async Task Null_long_and_surplus_names_and_descriptors_are_refused_and_closed()
    {
        using MemoryFile file = MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly);
        Assert.Empty(await ListAsync()); // It has taken the connection.
        int before = OpenDescriptors.CountOf(_keeper.Id);
        Assert.NotNull((await SendAsync("{\"operation\":\"Put\",\"names\":[null]}"u8.ToArray(), file.Descriptor)).Reply.Fault);
        Assert.NotNull((await AskAsync(KeeperOperation.Put, [new string('n', 256)], file.Descriptor)).Reply.Fault);
        Assert.NotNull((await AskAsync(KeeperOperation.Put, ["one"], file.Descriptor, file.Descriptor)).Reply.Fault);
        Assert.NotNull((await AskAsync(KeeperOperation.List, [], file.Descriptor)).Reply.Fault);
        Assert.NotNull((await SendAsync(Encoding.UTF8.GetBytes(new string(' ', KeeperJson.MaxMessageLength + 1)), file.Descriptor)).Reply.Fault);
        Assert.Empty(await ListAsync());

        OpenDescriptors.AssertNoMoreThan(before, _keeper.Id);
    }

    [Fact]
    public async Task It_ends_when_it_is_told_so_and_keeps_nothing()
    {
        using MemoryFile file = MemoryFile.Create("arrakis-test", 4096, PagePreference.BaseOnly);
        _ = await AskAsync(KeeperOperation.Put, ["kept"], file.Descriptor);
        _ = await AskAsync(KeeperOperation.Goodbye, []);
        _socket.Dispose();
        _socket = await ConnectAsync();
        Assert.Equal([("kept", 4096L)], await ListAsync());
        _ = await AskAsync(KeeperOperation.Remove, ["kept"]);
        _ = await AskAsync(KeeperOperation.Goodbye, []);
        _socket.Dispose();
        Assert.Equal(0, await _keeper.WaitForExitAsync(CancellationToken.None).WaitAsync(s_patience));
        Assert.False(File.Exists(_path));
    }

    private async Task<UnixSocket> ConnectAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return UnixSocket.Connect(_path, UnixSocketKind.SequencedPacket);
            }
            catch (LinuxException) when (TimeProvider.System.GetElapsedTime(start) < s_patience)
            {
                _keeper.ThrowIfExited();
                await Task.Delay(5);
            }
        }
    }

    private async Task<IReadOnlyList<(string Name, long Length)>> ListAsync()
    {
        List<(string, long)> all = [];
        string after = "";
        while (true)
        {
            (KeeperReply reply, IReadOnlyList<Descriptor> descriptors) = await AskAsync(KeeperOperation.List, [after]);
            Assert.Equal(reply.Names.Count, descriptors.Count);
            if (reply.Names.Count == 0)
            {
                return all;
            }

            for (int i = 0; i < descriptors.Count; i++)
            {
                all.Add((reply.Names[i], MemoryFile.GetLength(descriptors[i])));
                descriptors[i].Dispose();
                after = reply.Names[i];
            }
        }
    }

    private Task<(KeeperReply Reply, IReadOnlyList<Descriptor> Descriptors)> AskAsync(KeeperOperation operation, IReadOnlyList<string> names, params Descriptor[] descriptors) =>
        SendAsync(JsonSerializer.SerializeToUtf8Bytes(new KeeperRequest(operation, names), KeeperJson.Default.KeeperRequest), descriptors);

    private async Task<(KeeperReply Reply, IReadOnlyList<Descriptor> Descriptors)> SendAsync(byte[] packet, params Descriptor[] descriptors)
    {
        using var limit = new CancellationTokenSource(s_patience);
        Assert.Equal(packet.Length, _socket.TrySend(packet, descriptors));
        byte[] buffer = new byte[KeeperJson.MaxMessageLength];
        while (true)
        {
            if (_socket.TryReceive(buffer) is { } message)
            {
                Assert.NotEqual(0, message.Length);
                return (JsonSerializer.Deserialize(buffer.AsSpan(0, message.Length), KeeperJson.Default.KeeperReply)!, message.Descriptors);
            }

            await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, limit.Token);
        }
    }
}
