using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Commands;

/// <summary>What the daemon has, offered to the shell's completion. A daemon that does not answer offers nothing.</summary>
internal abstract class LiveNames(SharedOptions shared)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    internal IEnumerable<CompletionItem> Complete(CompletionContext context)
    {
        string? socket = context.ParseResult.GetValue(shared.Socket);
        return Task.Run(() => AskAsync(socket)).GetAwaiter().GetResult(); // The completion interface is synchronous.
    }

    protected abstract Task<IEnumerable<CompletionItem>> ReadAsync(ArrakisClient client, CancellationToken cancellation);

    private async Task<IEnumerable<CompletionItem>> AskAsync(string? socket)
    {
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            ArrakisClient client = await ArrakisClient.ConnectAsync(socket, patience.Token).ConfigureAwait(false);
            await using (client.ConfigureAwait(false))
            {
                return await ReadAsync(client, patience.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is ArrakisException or OperationCanceledException)
        {
            return [];
        }
    }
}

/// <summary>The ids of bindings.</summary>
internal sealed class BindingIds(SharedOptions shared) : LiveNames(shared)
{
    /// <summary>An argument that is a binding's id.</summary>
    internal Argument<ulong> Argument()
    {
        var argument = new Argument<ulong>("binding") { Description = "The binding's id, as 'arrakisctl bindings' lists it." };
        argument.CompletionSources.Add(Complete);
        return argument;
    }

    protected override async Task<IEnumerable<CompletionItem>> ReadAsync(ArrakisClient client, CancellationToken cancellation)
    {
        IReadOnlyList<BindingDescription> bindings = await client.ListBindingsAsync(cancellation).ConfigureAwait(false);
        return bindings.Select(static b => new CompletionItem(b.BindingId.ToString(CultureInfo.InvariantCulture), detail: $"{b.Address?.ToString() ?? b.Area} {b.Executable}"));
    }
}

/// <summary>The names of devices.</summary>
internal sealed class DeviceNames(SharedOptions shared) : LiveNames(shared)
{
    /// <summary>An option that is a device's name.</summary>
    internal Option<string?> Option()
    {
        var option = new Option<string?>("--device") { Description = "Only this device.", HelpName = "name" };
        option.CompletionSources.Add(Complete);
        return option;
    }

    protected override async Task<IEnumerable<CompletionItem>> ReadAsync(ArrakisClient client, CancellationToken cancellation)
    {
        IReadOnlyList<DeviceDescription> devices = await client.ListDevicesAsync(cancellation).ConfigureAwait(false);
        return devices.Select(static d => new CompletionItem(d.Name, detail: d.Kind));
    }
}

/// <summary>The names of storage areas.</summary>
internal sealed class AreaNames(SharedOptions shared) : LiveNames(shared)
{
    /// <summary>An argument that is an area's name.</summary>
    internal Argument<string> Argument()
    {
        var argument = new Argument<string>("name") { Description = "The area's name, as 'arrakisctl area list' lists it." };
        argument.CompletionSources.Add(Complete);
        return argument;
    }

    protected override async Task<IEnumerable<CompletionItem>> ReadAsync(ArrakisClient client, CancellationToken cancellation)
    {
        IReadOnlyList<AreaDescription> areas = await client.ListAreasAsync(cancellation).ConfigureAwait(false);
        return areas.Select(static area => new CompletionItem(area.Name, detail: $"{area.Device} {Output.Units.Bytes(area.Length)}"));
    }
}
