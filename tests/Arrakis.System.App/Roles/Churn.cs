using Arrakis.Contract;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Binds, polls a little and gives back, over and over, on threads with a client each, whatever dies or is taken
/// meanwhile. The command "count" reports the rounds so far.
/// </summary>
internal static class Churn
{
    private const int MaxMilliseconds = 4;
    private static long s_rounds;

    public static Task PlayAsync(ChurnOrder order)
    {
        for (int i = 0; i < order.Threads; i++)
        {
            int seed = order.Seed + i;
            _ = Talk.Start($"churn {i}", () => RunAsync(order.ControlSocket, new Random(seed)).GetAwaiter().GetResult());
        }

        while (Talk.NextCommand() is not null)
        {
            Talk.Say(new DoneReport(Interlocked.Read(ref s_rounds)));
        }

        return Task.CompletedTask;
    }

    private static async Task RunAsync(string controlSocket, Random random)
    {
        while (true)
        {
            try
            {
                await using ArrakisClient client = await ArrakisClient.ConnectAsync(controlSocket);
                while (await BindOnceAsync(client, random))
                {
                    _ = Interlocked.Increment(ref s_rounds);
                }
            }
            catch (ArrakisException e) when (IsExpected(e))
            {
                await Task.Delay(random.Next(1, 5 * MaxMilliseconds));
            }
        }
    }

    /// <summary>One round; false where the binding is left to the end of the conversation.</summary>
    private static async Task<bool> BindOnceAsync(ArrakisClient client, Random random)
    {
        bool givesBack = random.Next(4) != 0;
        NicBinding nic = await client.BindNicAsync(new NicRequest { QueueSize = 1 << random.Next(4, 9), Buffers = 1024 });
        try
        {
            for (int i = random.Next(50); i > 0; i--)
            {
                _ = nic.PollOnce(static (_, _) => { });
            }

            await Task.Delay(random.Next(MaxMilliseconds));
            _ = nic.PollOnce(static (_, _) => { });
            return givesBack;
        }
        finally
        {
            if (givesBack)
            {
                await nic.DisposeAsync();
            }
        }
    }

    // What may come of killed daemons and devices, and of an administrator that takes bindings.
    private static bool IsExpected(ArrakisException e) =>
        e.Code is ErrorCode.DaemonUnavailable or ErrorCode.DeviceUnavailable or ErrorCode.BindingRevoked or ErrorCode.NoFreeVirtualFunction or ErrorCode.UnknownBinding;
}
