using System.Net;
using System.Net.Sockets;
using Arrakis.Contract;
using Arrakis.Samples.KvStore.Data;

namespace Arrakis.Samples.KvStore;

/// <summary>Accepts clients, until it is told to end or the store fails. For one thread.</summary>
internal static class Server
{
    private const int MaxConnections = 10_000;
    private const int SweepSlots = 1_000;
    private static readonly TimeSpan s_sweepEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Serves.</summary>
    /// <param name="area">Where the log is.</param>
    /// <param name="throwIfGone">Throws an <see cref="ArrakisException"/> where the area was taken.</param>
    /// <param name="address">Where to listen.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ArrakisException">The store failed, or its area was taken.</exception>
    public static async Task ServeAsync(IStorageArea area, Action throwIfGone, IPEndPoint address, CancellationToken cancellation)
    {
        DurableStore store = await DurableStore.OpenAsync(area, TimeProvider.System);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(address);
        listener.Listen(512);
        Console.WriteLine($"Recovered {store.Database.Count} keys from {store.Recovery.Records} records; serving on {listener.LocalEndPoint}");
        Task sweeping = SweepAsync(store, throwIfGone, ending);
        HashSet<Task> connections = [];
        long id = 0;
        try
        {
            while (true)
            {
                Socket socket = await listener.AcceptAsync(ending.Token);
                socket.NoDelay = true;
                connections.RemoveWhere(static connection => connection.IsCompleted);
                if (connections.Count >= MaxConnections)
                {
                    socket.Dispose();
                    continue;
                }

                connections.Add(ServeOneAsync(++id, socket, store, ending));
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // What was committed is durable already.
        }

        await Task.WhenAll(connections);
        await sweeping;
        await store.CloseAsync();
        if (store.Failure is { } failure)
        {
            throw failure;
        }
    }

    private static async Task ServeOneAsync(long id, Socket socket, DurableStore store, CancellationTokenSource ending)
    {
        try
        {
            await Connection.ServeAsync(id, socket, store, ending.Token);
        }
        catch (Exception) when (store.Failure is not null)
        {
            await ending.CancelAsync(); // No reply was sent of what failed; the server ends with the reason.
        }
    }

    private static async Task SweepAsync(DurableStore store, Action throwIfGone, CancellationTokenSource ending)
    {
        using var timer = new PeriodicTimer(s_sweepEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(ending.Token))
            {
                store.FailIfGone(throwIfGone);
                if (store.Failure is not null)
                {
                    await ending.CancelAsync();
                    return;
                }

                await store.RoomAsync();
                await store.SweepAsync(SweepSlots);
            }
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
        catch (Exception) when (store.Failure is not null)
        {
            await ending.CancelAsync();
        }
    }
}
