using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Arrakis.Samples.Tests;

/// <summary>A client that speaks as much of RESP2 as tests need: a reply is a line, or a bulk string; null where there is none.</summary>
internal sealed class RespClient : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    private RespClient(TcpClient client)
    {
        _client = client;
        _stream = client.GetStream();
    }

    public static async Task<RespClient> ConnectAsync(int port, CancellationToken cancellation)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
        return new RespClient(client);
    }

    /// <summary>Sends a command and waits for its reply.</summary>
    /// <exception cref="IOException">The server has gone.</exception>
    public async Task<string?> CallAsync(params string[] words)
    {
        await SendAsync(words);
        return await ReadAsync();
    }

    public Task SendAsync(params string[] words)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
        foreach (string word in words)
        {
            text.Append(CultureInfo.InvariantCulture, $"${word.Length}\r\n{word}\r\n");
        }

        return SendRawAsync(text.ToString());
    }

    public async Task SendRawAsync(string bytes) => await _stream.WriteAsync(Encoding.Latin1.GetBytes(bytes));

    /// <summary>Reads a reply.</summary>
    public async Task<string?> ReadAsync()
    {
        string line = await ReadLineAsync();
        if (line[0] != '$')
        {
            return line;
        }

        int length = int.Parse(line[1..], CultureInfo.InvariantCulture);
        if (length < 0)
        {
            return null;
        }

        var value = new StringBuilder();
        while (value.Length < length + 2)
        {
            await FillAsync();
            int taken = Math.Min(_end - _start, length + 2 - value.Length);
            value.Append(Encoding.Latin1.GetString(_buffer, _start, taken));
            _start += taken;
        }

        return value.ToString(0, length);
    }

    /// <summary>Whether the server ends the connection, with nothing more to say.</summary>
    public async Task<bool> EndsAsync() => _start == _end && await _stream.ReadAsync(_buffer) == 0;

    public void Dispose() => _client.Dispose();

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            await FillAsync();
            int end = Array.IndexOf(_buffer, (byte)'\n', _start, _end - _start);
            int stop = end < 0 ? _end : end + 1;
            line.Append(Encoding.Latin1.GetString(_buffer, _start, stop - _start));
            _start = stop;
            if (end >= 0)
            {
                return line.ToString().TrimEnd('\r', '\n');
            }
        }
    }

    private async Task FillAsync()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await _stream.ReadAsync(_buffer);
            if (_end == 0)
            {
                throw new IOException("The server ended the connection.");
            }
        }
    }
}
