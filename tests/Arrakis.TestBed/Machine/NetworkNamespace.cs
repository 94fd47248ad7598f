namespace Arrakis.TestBed.Machine;

/// <summary>A network namespace of our own, with its loopback up (ip-netns(8)).</summary>
public sealed class NetworkNamespace
{
    private NetworkNamespace(string name) => Name = name;

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its file, as nsenter(1) takes it.</summary>
    public string Path => $"/run/netns/{Name}";

    /// <summary>Makes one that ends with the teardown, and with it the interfaces inside.</summary>
    public static async Task<NetworkNamespace> CreateAsync(string purpose, Teardown teardown, CancellationToken cancellation)
    {
        var made = new NetworkNamespace($"arrakis-{Environment.ProcessId}-{purpose}");
        teardown.Add($"delete network namespace {made.Name}", async () =>
        {
            if (File.Exists(made.Path))
            {
                await Command.RunAsync("ip", ["netns", "delete", made.Name], CancellationToken.None);
            }
        });
        await Command.RunAsync("ip", ["netns", "add", made.Name], cancellation);
        await made.IpAsync(["link", "set", "lo", "up"], cancellation);
        return made;
    }

    /// <summary>Joins two namespaces by a veth pair and gives the ends their addresses.</summary>
    public static async Task JoinAsync(NetworkNamespace first, string firstAddress, NetworkNamespace second, string secondAddress, CancellationToken cancellation)
    {
        const string End = "veth0";
        await Command.RunAsync("ip", ["link", "add", End, "netns", first.Name, "type", "veth", "peer", "name", End, "netns", second.Name], cancellation);
        await first.ConfigureAsync(End, firstAddress, cancellation);
        await second.ConfigureAsync(End, secondAddress, cancellation);
    }

    /// <summary>Takes an interface of the root namespace; it goes back, or away, with the namespace.</summary>
    public async Task AdoptAsync(string linkName, string address, CancellationToken cancellation)
    {
        await Command.RunAsync("ip", ["link", "set", linkName, "netns", Name], cancellation);
        await ConfigureAsync(linkName, address, cancellation);
    }

    /// <summary>Gives an interface in it an address and sets it up.</summary>
    public async Task ConfigureAsync(string linkName, string address, CancellationToken cancellation)
    {
        await IpAsync(["address", "add", address, "dev", linkName], cancellation);
        await IpAsync(["link", "set", linkName, "up"], cancellation);
    }

    private Task IpAsync(IReadOnlyList<string> arguments, CancellationToken cancellation) =>
        Command.RunAsync("ip", ["-n", Name, .. arguments], cancellation);
}
