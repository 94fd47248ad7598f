using System.Globalization;

namespace Arrakis.Samples.Tests;

public sealed class KvStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-kv-").FullName;

    private string LogFile => Path.Combine(_folder, "log");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Redis_cli_gets_the_replies_that_it_expects()
    {
        await using StoreProcess store = await StoreProcess.StartAsync(LogFile, 8);
        (string Command, string Reply)[] talk =
        [
            ("PING", "PONG"), ("PING hello", "hello"), ("ECHO a-b", "a-b"), ("SELECT 0", "OK"), ("SELECT 3", "ERR DB index is out of range"),
            ("SET a 1", "OK"), ("GET a", "1"), ("GET none", ""), ("SET a 2 NX", ""), ("SET b 3 XX", ""), ("SET b 3 NX", "OK"), ("SET a 5 XX GET", "1"),
            ("SET a x EX", "ERR syntax error"), ("SET a x NX XX", "ERR syntax error"), ("SET a x EX 0", "ERR invalid expire time in 'set' command"),
            ("set a x px soon", "ERR value is not an integer or out of range"), ("GET a", "5"),
            ("INCR a", "6"), ("DECR a", "5"), ("INCRBY a 10", "15"), ("DECRBY a 20", "-5"), ("APPEND a 0", "3"), ("GET a", "-50"), ("STRLEN a", "3"), ("STRLEN none", "0"),
            ("SET word w", "OK"), ("INCR word", "ERR value is not an integer or out of range"), ("SET most 9223372036854775807", "OK"), ("INCR most", "ERR increment or decrement would overflow"),
            ("MSET c 1 d 2", "OK"), ("MSET c 1 d", "ERR wrong number of arguments for 'mset' command"), ("MGET a c none d", "-50\n1\n\n2"),
            ("EXISTS a c none a", "3"), ("DEL c none", "1"), ("UNLINK d", "1"), ("TYPE a", "string"), ("TYPE c", "none"), ("DBSIZE", "4"),
            ("SETNX n 1", "1"), ("SETNX n 2", "0"), ("GETSET n 3", "1"),
            ("EXPIRE none 10", "0"), ("EXPIRE n 100", "1"), ("TTL n", "100"), ("PERSIST n", "1"), ("TTL n", "-1"), ("TTL none", "-2"), ("EXPIRE n -1", "1"), ("EXISTS n", "0"),
            ("SET k1 v EX 100", "OK"), ("TTL k1", "100"), ("SET k1 w KEEPTTL", "OK"), ("TTL k1", "100"), ("SET k1 x", "OK"), ("TTL k1", "-1"),
            ("KEYS k*", "k1"), ("KEYS [^k]", "a\nb"), ("SCAN 0 COUNT 100 MATCH w*", "0\nword"), ("SCAN x", "ERR invalid cursor"),
            ("CONFIG GET append*", "appendfsync\nalways\nappendonly\nyes"), ("CLIENT GETNAME", ""), ("CLIENT SETNAME me", "OK"), ("COMMAND DOCS", ""), ("COMMAND", ""),
            ("NONSENSE", "ERR unknown command 'NONSENSE'"), ("GET", "ERR wrong number of arguments for 'GET' command"), ("QUIT", "OK"),
            ("FLUSHALL", "OK"), ("DBSIZE", "0"),
        ];
        foreach ((string command, string reply) in talk)
        {
            Assert.Equal((command, reply), (command, await store.CliAsync(command.Split(' '))));
        }

        Assert.Contains("log_capacity_bytes:", await store.CliAsync("INFO"), StringComparison.Ordinal);
        Assert.Equal("OK", await store.CliAsync("-3", "SET", "three", "1"));
        Assert.Equal("server\nkvstore\nversion\n7.0.0\nproto\n3", string.Join('\n', (await store.CliAsync("-3", "HELLO", "3")).Replace(' ', '\n').Split('\n').Take(6)));
        Assert.Equal(0, await store.InterruptAsync());
    }

    [Fact]
    public async Task Redis_benchmark_runs_against_it()
    {
        await using StoreProcess store = await StoreProcess.StartAsync(LogFile, 64);
        (int exitCode, string output, string errors) = await Sample.RunAsync(
            "redis-benchmark", "-p", $"{store.Port}", "-t", "ping,set,get,incr,mset", "-n", "4000", "-c", "50", "-P", "4", "-r", "1000", "-d", "100", "--csv");

        Assert.True(exitCode == 0, output + errors);
        Assert.DoesNotContain("ERR", output + errors, StringComparison.OrdinalIgnoreCase);
        foreach (string test in (string[])["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"])
        {
            string line = Assert.Single(output.Split('\n'), line => line.StartsWith($"\"{test}\"", StringComparison.Ordinal));
            Assert.True(double.Parse(line.Split(',')[1].Trim('"'), CultureInfo.InvariantCulture) > 0, line);
        }
    }

    [Fact]
    public async Task What_was_written_is_there_after_a_restart_and_what_is_over_is_not()
    {
        await using (StoreProcess store = await StoreProcess.StartAsync(LogFile, 8))
        {
            using RespClient client = await store.ConnectAsync();
            Assert.Equal("+OK", await client.CallAsync("SET", "stays", "1"));
            Assert.Equal("+OK", await client.CallAsync("SET", "lasts", "2", "EX", "1000"));
            Assert.Equal("+OK", await client.CallAsync("SET", "short", "old", "PX", "1"));
            while (await client.CallAsync("EXISTS", "short") != ":0")
            {
            }

            // The old value must not come back under the new one when the log is read.
            Assert.Equal(":3", await client.CallAsync("APPEND", "short", "new"));
            Assert.Equal(":1", await client.CallAsync("INCR", "counter"));
            Assert.Equal("+OK", await client.CallAsync("SET", "gone", "3"));
            Assert.Equal(":1", await client.CallAsync("DEL", "gone"));
            Assert.Equal(0, await store.InterruptAsync());
        }

        await using StoreProcess again = await StoreProcess.StartAsync(LogFile, 8);
        using RespClient reader = await again.ConnectAsync();
        Assert.StartsWith("Recovered 4 keys", again.Greeting, StringComparison.Ordinal);
        Assert.Equal("1", await reader.CallAsync("GET", "stays"));
        Assert.Equal("2", await reader.CallAsync("GET", "lasts"));
        Assert.Equal("new", await reader.CallAsync("GET", "short"));
        Assert.Equal("1", await reader.CallAsync("GET", "counter"));
        Assert.Null(await reader.CallAsync("GET", "gone"));
        Assert.NotEqual(":-1", await reader.CallAsync("TTL", "lasts"));
    }

    [Fact]
    public async Task The_log_is_compacted_and_never_fills()
    {
        string value = new('v', 20_000);
        await using (StoreProcess store = await StoreProcess.StartAsync(LogFile, 4))
        {
            Task[] writers = [.. Enumerable.Range(0, 4).Select(async writer =>
            {
                using RespClient client = await store.ConnectAsync();
                for (int i = 0; i < 200; i++)
                {
                    Assert.Equal("+OK", await client.CallAsync("SET", $"{writer}:{i % 10}", $"{i}{value}"));
                }
            })];
            await Task.WhenAll(writers);

            using RespClient info = await store.ConnectAsync();
            Assert.DoesNotContain("log_compactions:0\r", await info.CallAsync("INFO"), StringComparison.Ordinal);
            Assert.Equal(0, await store.InterruptAsync());
        }

        await using StoreProcess again = await StoreProcess.StartAsync(LogFile, 4);
        using RespClient reader = await again.ConnectAsync();
        for (int key = 0; key < 40; key++)
        {
            Assert.Equal($"{190 + key % 10}{value}", await reader.CallAsync("GET", $"{key / 10}:{key % 10}"));
        }
    }

    [Fact]
    public async Task Full_of_keys_it_refuses_more_until_some_are_deleted()
    {
        await using StoreProcess store = await StoreProcess.StartAsync(LogFile, 1);
        using RespClient client = await store.ConnectAsync();
        string value = new('v', 4_000);
        string? reply = "+OK";
        int count = 0;
        while (reply == "+OK")
        {
            reply = await client.CallAsync("SET", $"k{count++}", value);
            Assert.InRange(count, 1, 200);
        }

        Assert.StartsWith("-OOM ", reply, StringComparison.Ordinal);
        for (int i = 0; i < 300; i++)
        {
            // Deleting and writing again goes on for ever.
            Assert.Equal(":1", await client.CallAsync("DEL", $"k{i % 10}"));
            Assert.Equal("+OK", await client.CallAsync("SET", $"k{i % 10}", value));
        }
    }

    [Theory]
    [InlineData("*1\r\n$99999999999\r\n", "invalid bulk length")]
    [InlineData("*2\r\n$3\r\nGET\r\n$2147483647\r\n", "invalid bulk length")]
    [InlineData("*99999999\r\n", "invalid multibulk length")]
    [InlineData("*x\r\n", "invalid multibulk length")]
    [InlineData("*1\r\n:1\r\n", "expected '$', got ':'")]
    [InlineData("*1\r\n$4\r\nPINGxx", "a bulk string is longer than it says")]
    [InlineData("*1\r\n$-1\r\n", "invalid bulk length")]
    [InlineData("GET \"a\r\n", "unbalanced quotes in request")]
    [InlineData("*11111111111111111111111111111111111111111111", "too big mbulk count string")]
    public async Task A_client_that_speaks_no_resp_is_told_so_and_sent_away(string bytes, string error)
    {
        await using StoreProcess store = await StoreProcess.StartAsync(LogFile, 1);
        using RespClient client = await store.ConnectAsync();
        await client.SendRawAsync(bytes);

        Assert.Equal($"-ERR Protocol error: {error}", await client.ReadAsync());
        Assert.True(await client.EndsAsync());
        using RespClient other = await store.ConnectAsync();
        Assert.Equal("+PONG", await other.CallAsync("PING"));
    }

    [Fact]
    public async Task Inline_and_pipelined_commands_are_answered_in_order_however_they_are_cut()
    {
        await using StoreProcess store = await StoreProcess.StartAsync(LogFile, 1);
        using RespClient client = await store.ConnectAsync();
        const string script = "SET a 1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n\r\n*0\r\nGET a\nECHO 'two words'\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$4\r\n\r\n\r\n\r\nSTRLEN b\r\n";
        string[] replies = ["+OK", ":2", "2", "two words", "+OK", ":4"];
        foreach (int size in (int[])[script.Length, 1, 3, 7])
        {
            foreach (char[] part in script.Chunk(size))
            {
                await client.SendRawAsync(new string(part));
            }

            foreach (string reply in replies)
            {
                Assert.Equal(reply, await client.ReadAsync());
            }
        }
    }

    [Theory]
    [InlineData("Name either an --area or a --file.")]
    [InlineData("'6379' is no address with a port", "--file", "/dev/null", "--listen", "6379")]
    [InlineData("--file-size takes 1 to 1048576 MiB.", "--file", "/dev/null", "--file-size", "0")]
    [InlineData("does not answer", "--area", "kv", "--socket", "/run/arrakis-test-nobody.sock")]
    public async Task What_cannot_be_is_said_in_words(string words, params string[] options)
    {
        (int exitCode, _, string errors) = await Sample.RunAsync(TestBed.Daemon.Programs.KvStore, options);

        Assert.Equal(1, exitCode);
        Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal); // No stack trace.
    }

    [Fact]
    public async Task A_damaged_log_is_refused_with_the_block_s_address()
    {
        await using (StoreProcess store = await StoreProcess.StartAsync(LogFile, 1))
        {
            using RespClient client = await store.ConnectAsync();
            Assert.Equal("+OK", await client.CallAsync("SET", "a", "1"));
            Assert.Equal(0, await store.InterruptAsync());
        }

        await using (FileStream file = File.OpenWrite(LogFile))
        {
            file.Position = 4096 + 60;
            file.WriteByte(0x55);
        }

        (int exitCode, _, string errors) = await Sample.RunAsync(TestBed.Daemon.Programs.KvStore, "--file", LogFile, "--listen", "127.0.0.1:0");
        Assert.Equal(1, exitCode);
        Assert.Contains("Block 1 does not hold what was written there: its checksum does not match.", errors, StringComparison.Ordinal);
    }
}
