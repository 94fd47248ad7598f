using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.ControlPlane.Tests.Hosting;

/// <summary>A service manager's side of sd_notify(3).</summary>
internal sealed class NotifySocket : IAsyncDisposable
{
    private static int s_count;

    private readonly Socket _bound = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly UnixSocket _socket;
    private readonly ReadinessLoop _loop = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<(string Text, int Descriptors)> _messages = [];
    private readonly Task _reading;

    internal NotifySocket()
    {
        Path = string.Create(CultureInfo.InvariantCulture, $"/run/arrakis-notify-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}.sock");
        _bound.Bind(new UnixDomainSocketEndPoint(Path));
        var borrowed = new Descriptor((int)_bound.SafeHandle.DangerousGetHandle());
        _socket = new UnixSocket(borrowed.Duplicate());
        borrowed.SetHandleAsInvalid(); // It is the bound socket's.
        _reading = Task.Run(ReadAsync);
    }

    internal string Path { get; }

    /// <summary>Called with each message, before the next is read.</summary>
    internal Action<string>? OnMessage { get; set; }

    /// <summary>What came so far, and with how many descriptors.</summary>
    internal IReadOnlyList<(string Text, int Descriptors)> Messages
    {
        get
        {
            lock (_messages)
            {
                return [.. _messages];
            }
        }
    }

    internal int Count(string text) => Messages.Count(message => message.Text == text);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _reading;
        _socket.Dispose();
        _bound.Dispose();
        _loop.Dispose();
        _stopping.Dispose();
        File.Delete(Path);
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                if (_socket.TryReceive(buffer) is not { } message)
                {
                    await _loop.WaitAsync(_socket.Descriptor, Readiness.Read, _stopping.Token);
                    continue;
                }

                string text = Encoding.UTF8.GetString(buffer, 0, message.Length).Trim();
                OnMessage?.Invoke(text);
                lock (_messages)
                {
                    _messages.Add((text, message.Descriptors.Count));
                }

                message.CloseDescriptors();
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }
}
