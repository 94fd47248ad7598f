using System.Text.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>
/// The keeper: holds descriptors for a daemon that may die at any moment. It has no other state, does nothing with them,
/// and ends when it holds none and the daemon has said goodbye.
/// </summary>
internal static class KeeperProcess
{
    private const int Backlog = 16;
    private const int MaxNameLength = 255; // As systemd's.

    /// <summary>Runs to the keeper's end.</summary>
    internal static async Task<int> RunAsync(string path, CancellationToken cancellation)
    {
        _ = LibC.setsid(); // Not the terminal's, nor the daemon's: EPERM says that it is so already.
        using var loop = new ReadinessLoop();
        using UnixSocket listener = UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, Backlog, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        SortedDictionary<string, Descriptor> kept = new(StringComparer.Ordinal);
        bool ending = false;
        try
        {
            while (!ending)
            {
                // One daemon at a time: its end is that of the conversation, and the next one waits in the backlog.
                using UnixSocket daemon = await AcceptAsync(listener, loop, cancellation).ConfigureAwait(false);
                ending = await ServeAsync(daemon, loop, kept, cancellation).ConfigureAwait(false) && kept.Count == 0;
            }
        }
        catch (OperationCanceledException)
        {
            return 0; // Told to end.
        }
        finally
        {
            foreach (Descriptor descriptor in kept.Values)
            {
                descriptor.Dispose();
            }

            File.Delete(path);
        }

        return 0;
    }

    private static async Task<UnixSocket> AcceptAsync(UnixSocket listener, ReadinessLoop loop, CancellationToken cancellation)
    {
        while (true)
        {
            if (listener.TryAccept() is { } socket)
            {
                return socket;
            }

            await loop.WaitAsync(listener.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
        }
    }

    private static async Task<bool> ServeAsync(UnixSocket daemon, ReadinessLoop loop, SortedDictionary<string, Descriptor> kept, CancellationToken cancellation)
    {
        bool goodbye = false;
        byte[] buffer = new byte[KeeperJson.MaxMessageLength];
        try
        {
            while (true)
            {
                if (daemon.TryReceive(buffer) is not { } message)
                {
                    await loop.WaitAsync(daemon.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
                    continue;
                }

                if (message.Length == 0)
                {
                    message.CloseDescriptors();
                    return goodbye;
                }

                (KeeperReply reply, IReadOnlyList<Descriptor> descriptors) = Handle(message, buffer, kept, ref goodbye);
                byte[] packet = JsonSerializer.SerializeToUtf8Bytes(reply, KeeperJson.Default.KeeperReply);
                while (daemon.TrySend(packet, [.. descriptors]) < 0)
                {
                    await loop.WaitAsync(daemon.Descriptor, Readiness.Write, cancellation).ConfigureAwait(false);
                }
            }
        }
        catch (LinuxException)
        {
            return goodbye; // The daemon has gone in the middle of it; what is kept is kept.
        }
    }

    private static (KeeperReply Reply, IReadOnlyList<Descriptor> Descriptors) Handle(
        ReceivedMessage message, byte[] buffer, SortedDictionary<string, Descriptor> kept, ref bool goodbye)
    {
        KeeperRequest? request = null;
        try
        {
            request = message.Truncated || message.DescriptorsTruncated ? null : JsonSerializer.Deserialize(buffer.AsSpan(0, message.Length), KeeperJson.Default.KeeperRequest);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            request = null;
        }

        if (request is null || !request.Names.All(IsName) || message.Descriptors.Count != (request.Operation == KeeperOperation.Put ? request.Names.Count : 0))
        {
            message.CloseDescriptors();
            return (new KeeperReply([], "The message cannot be read."), []);
        }

        switch (request.Operation)
        {
            case KeeperOperation.Put:
                for (int i = 0; i < request.Names.Count; i++)
                {
                    Forget(kept, request.Names[i]);
                    kept[request.Names[i]] = message.Descriptors[i];
                }

                break;
            case KeeperOperation.Remove:
                foreach (string name in request.Names)
                {
                    Forget(kept, name);
                }

                break;
            case KeeperOperation.List:
                string after = request.Names.Count > 0 ? request.Names[0] : "";
                List<KeyValuePair<string, Descriptor>> page = [.. kept.Where(entry => string.CompareOrdinal(entry.Key, after) > 0).Take(UnixSocket.MaxDescriptors)];
                return (new KeeperReply([.. page.Select(static entry => entry.Key)]), [.. page.Select(static entry => entry.Value)]);
            case KeeperOperation.Goodbye:
                goodbye = true;
                break;
            default:
                return (new KeeperReply([], $"There is no operation {request.Operation}."), []);
        }

        return (new KeeperReply([]), []);
    }

    // Deserialized, a name may be null whatever its type says. The bound keeps a page of names within one message.
    private static bool IsName(string? name) => name is { Length: <= MaxNameLength };

    private static void Forget(SortedDictionary<string, Descriptor> kept, string name)
    {
        if (kept.Remove(name, out Descriptor? old))
        {
            old.Dispose();
        }
    }
}
