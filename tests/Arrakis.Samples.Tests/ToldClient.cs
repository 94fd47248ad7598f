using System.Globalization;
using System.Net.Sockets;

namespace Arrakis.Samples.Tests;

/// <summary>A client of a store that ends again and again: knows what it was told was done, and what it asked for and was not told.</summary>
internal sealed class ToldClient(int client, SemaphoreSlim told)
{
    private const int Keys = 40;

    private readonly long[] _values = new long[Keys]; // By key, the last value that was acknowledged; 0 for none.
    private long _next = 1;
    private int _doubtfulKey = -1;
    private long _doubtful;
    private long _count; // Acknowledged increments.
    private bool _isCountDoubtful;

    /// <summary>Looks in a store for what all of them were told.</summary>
    public static async Task CheckAllAsync(StoreProcess store, IEnumerable<ToldClient> clients, string after)
    {
        using RespClient connection = await store.ConnectAsync();
        foreach (ToldClient client in clients)
        {
            await client.CheckAsync(connection, after);
        }
    }

    /// <summary>Writes until the store has gone; raises the semaphore each time that it was told.</summary>
    public async Task WriteAsync(StoreProcess store)
    {
        try
        {
            using RespClient connection = await store.ConnectAsync();
            while (true)
            {
                _doubtfulKey = (int)(_next % Keys);
                _doubtful = _next++;
                Assert.Equal("+OK", await connection.CallAsync("SET", $"client:{client}:{_doubtfulKey}", $"{_doubtful}"));
                _values[_doubtfulKey] = _doubtful;
                _doubtfulKey = -1;
                _isCountDoubtful = true;
                Assert.Equal($":{_count + 1}", await connection.CallAsync("INCR", $"count:{client}"));
                _count++;
                _isCountDoubtful = false;
                _ = told.Release();
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // It has gone.
        }
    }

    private async Task CheckAsync(RespClient connection, string after)
    {
        for (int key = 0; key < Keys; key++)
        {
            long found = Number(await connection.CallAsync("GET", $"client:{client}:{key}"));
            bool isRight = found == _values[key] || (key == _doubtfulKey && found == _doubtful);
            Assert.True(isRight, $"after {after}, client {client}, key {key}: {found} instead of {_values[key]}");
            _values[key] = found;
        }

        long count = Number(await connection.CallAsync("GET", $"count:{client}"));
        Assert.True(count == _count || (_isCountDoubtful && count == _count + 1), $"after {after}, client {client}: {count} increments instead of {_count}");
        _count = count;
        _doubtfulKey = -1;
        _isCountDoubtful = false;
    }

    private static long Number(string? value) => value is null ? 0 : long.Parse(value, CultureInfo.InvariantCulture);
}
