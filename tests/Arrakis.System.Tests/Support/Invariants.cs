using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Memory;
using Arrakis.TestBed.Daemon;

namespace Arrakis.SystemTests.Support;

/// <summary>What must hold whatever was killed: each function is free or held by a live process, and binding works.</summary>
internal static class Invariants
{
    /// <summary>Waits until they hold.</summary>
    public static async Task HoldAsync(DaemonProcess daemon)
    {
        string broken = "";
        try
        {
            await daemon.UntilAsync(async () => (broken = await FindBrokenAsync(daemon)).Length == 0, "a state in which all invariants hold", TestContext.Current.CancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\nAt the end: {broken}");
        }
    }

    /// <summary>Waits until nothing is bound, and all hugepages and descriptors that bindings had are given back.</summary>
    public static async Task IsIdleAsync(DaemonProcess daemon, Footprint idle)
    {
        string different = "";
        try
        {
            await daemon.UntilAsync(async () => (different = (await Footprint.ReadAsync(daemon)).Exceeding(idle)).Length == 0, "as little in use as at the start", TestContext.Current.CancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\nAt the end: {different}");
        }
    }

    private static async Task<string> FindBrokenAsync(DaemonProcess daemon)
    {
        try
        {
            await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
            DeviceDescription device = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0];
            if (!device.Up || !ProcessFacts.IsAlive(device.ProcessId!.Value))
            {
                return "The device is down.";
            }

            foreach (BindingDescription binding in await client.ListBindingsAsync(TestContext.Current.CancellationToken))
            {
                if (!ProcessFacts.IsAlive(binding.ProcessId))
                {
                    return $"Binding {binding.BindingId} is of process {binding.ProcessId}, which has ended.";
                }
            }

            await using NicBinding nic = await client.BindNicAsync(new NicRequest(), TestContext.Current.CancellationToken);
            _ = nic.PollOnce(static (_, _) => { });
            return "";
        }
        catch (ArrakisException e)
        {
            return $"{e.Code}: {e.Message}";
        }
    }
}

/// <summary>What a daemon with its device and keeper has in use.</summary>
internal sealed record Footprint(
    int Bindings, int FreeHugePages, IReadOnlyDictionary<string, int> Daemon, IReadOnlyDictionary<string, int> Device, IReadOnlyDictionary<string, int> Keeper)
{
    public static async Task<Footprint> ReadAsync(DaemonProcess daemon)
    {
        int process;
        int bindings;
        await using (ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken))
        {
            bindings = (await client.ListBindingsAsync(TestContext.Current.CancellationToken)).Count;
            process = (await client.ListDevicesAsync(TestContext.Current.CancellationToken))[0].ProcessId ?? throw new InvalidOperationException("The device is down.");
        }

        return new Footprint(
            bindings, HugePages.Free, ProcessFacts.Descriptors(daemon.ProcessId), ProcessFacts.Descriptors(process), ProcessFacts.Descriptors(daemon.KeeperProcessId));
    }

    /// <summary>What is in use beyond another footprint; empty if nothing is.</summary>
    public string Exceeding(Footprint other)
    {
        List<string> excess = [];
        if (Bindings > other.Bindings)
        {
            excess.Add($"{Bindings} bindings instead of {other.Bindings}");
        }

        if (FreeHugePages < other.FreeHugePages)
        {
            excess.Add($"{FreeHugePages} free hugepages instead of {other.FreeHugePages}");
        }

        Compare("daemon", Daemon, other.Daemon);
        Compare("device", Device, other.Device);
        Compare("keeper", Keeper, other.Keeper);
        return string.Join(", ", excess);

        void Compare(string process, IReadOnlyDictionary<string, int> now, IReadOnlyDictionary<string, int> then)
        {
            foreach ((string kind, int count) in now)
            {
                int before = then.GetValueOrDefault(kind);
                if (count > before)
                {
                    excess.Add($"{process}: {count} of '{kind}' instead of {before}");
                }
            }
        }
    }
}
