using System.Globalization;
using Arrakis.TestBed.Machine;
using Arrakis.Wire;

namespace Arrakis.Interop.Tests.Support;

/// <summary>The software device with one virtual function for someone else's driver, and a host behind its uplink.</summary>
internal sealed class FrontEndBed : IAsyncDisposable
{
    public const string Mac = "02:95:00:00:00:02";
    public const string Address = "10.95.0.2";
    public const string HostAddress = "10.95.0.254";

    private static int s_count;
    private readonly Teardown _teardown = new();

    private FrontEndBed(string folder) => Folder = folder;

    /// <summary>For sockets and files.</summary>
    public string Folder { get; }

    public SoftDeviceProcess Device { get; private set; } = null!;

    /// <summary>Where the kernel's end of the uplink is.</summary>
    public NetworkNamespace Host { get; private set; } = null!;

    /// <summary>The virtual function's socket.</summary>
    public string Socket => Device.FunctionPath(0);

    public static async Task<FrontEndBed> StartAsync()
    {
        var bed = new FrontEndBed(Directory.CreateTempSubdirectory("arrakis-interop-").FullName);
        try
        {
            bed.Add("delete the folder", () =>
            {
                Directory.Delete(bed.Folder, recursive: true);
                return Task.CompletedTask;
            });
            int number = Interlocked.Increment(ref s_count);
            bed.Host = await NetworkNamespace.CreateAsync($"host{number}", bed._teardown, TestContext.Current.CancellationToken);
            bed.Device = await SoftDeviceProcess.StartAsync(bed.Folder, functions: 1, core: 0);
            bed.Add("end the device", () => bed.Device.DisposeAsync().AsTask());
            await bed.Device.ConfigureAsync(0, MacAddress.Parse(Mac), Ipv4Address.Parse(Address));
            string uplink = string.Create(CultureInfo.InvariantCulture, $"ait{Environment.ProcessId}x{number}");
            await bed.Device.AttachUplinkAsync(uplink);
            await bed.Host.AdoptAsync(uplink, $"{HostAddress}/24", TestContext.Current.CancellationToken);
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>Notes what has to be undone before the device ends.</summary>
    public void Add(string what, Func<Task> undo) => _teardown.Add(what, undo);

    /// <summary>A namespace for the front end's side.</summary>
    public Task<NetworkNamespace> CreateNamespaceAsync(string purpose) =>
        NetworkNamespace.CreateAsync($"{purpose}{s_count}", _teardown, TestContext.Current.CancellationToken);

    /// <summary>Pings from a namespace, small and as large as an Ethernet frame carries; every request must be answered.</summary>
    public static async Task PingAsync(NetworkNamespace from, string address)
    {
        await Command.RunAsync("nsenter", [$"--net={from.Path}", "ping", "-c", "5", "-i", "0.2", "-W", "10", address], TestContext.Current.CancellationToken);
        await Command.RunAsync("nsenter", [$"--net={from.Path}", "ping", "-c", "3", "-i", "0.2", "-W", "10", "-s", "1472", "-M", "do", address], TestContext.Current.CancellationToken);
    }

    /// <summary>Fails the test if something is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _teardown.RunAsync();
        Assert.Empty(_teardown.Failures);
    }
}
