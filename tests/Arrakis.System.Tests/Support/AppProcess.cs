using System.Text.Json;
using Arrakis.SystemApp.Conversation;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.SystemTests.Support;

/// <summary>The application in one of its roles, as a process of its own.</summary>
internal sealed class AppProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private AppProcess(ChildProcess process) => _process = process;

    public int Id => _process.Id;

    /// <summary>Starts it; the order says what it is to do.</summary>
    /// <param name="order">Its type names the role: a FloodOrder is for the role Flood.</param>
    /// <param name="networkNamespace">File of the network namespace to run it in; null runs it in ours.</param>
    /// <param name="environment">More variables of its environment.</param>
    public static AppProcess Start<TOrder>(TOrder order, string? networkNamespace = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        string role = typeof(TOrder) == typeof(ArpOrder) ? "ArpAsker" : typeof(TOrder).Name[..^"Order".Length];
        return new AppProcess(ChildProcess.Start(role, networkNamespace, Programs.SystemApp, [role, JsonSerializer.Serialize(order)], ChildEnding.Input, environment));
    }

    /// <summary>Its next report, which must be of the type.</summary>
    /// <param name="patience">How long it may take; what it reports on may be long work.</param>
    public async Task<T> ExpectAsync<T>(TimeSpan? patience = null)
        where T : Report
    {
        Report report = await NextAsync(patience ?? DaemonProcess.Patience);
        return report as T ?? throw new InvalidDataException($"The application said {report}, not a {typeof(T).Name}.");
    }

    /// <summary>Its next report of the type; others before it do not matter.</summary>
    public async Task<T> SkipToAsync<T>()
        where T : Report
    {
        while (true)
        {
            switch (await NextAsync(DaemonProcess.Patience))
            {
                case T wanted:
                    return wanted;
                case FailureReport failure:
                    throw new InvalidOperationException($"The application failed: {failure.What}");
            }
        }
    }

    /// <summary>Gives it a command.</summary>
    public Task TellAsync(string command) => _process.WriteLineAsync(command, TestContext.Current.CancellationToken);

    /// <summary>Gives it a command and returns the report that answers.</summary>
    public async Task<T> AskAsync<T>(string command)
        where T : Report
    {
        await TellAsync(command);
        return await ExpectAsync<T>();
    }

    public void Signal(int signal) => Assert.True(_process.Signal(signal), $"{_process.Name} has ended: {_process.Errors}");

    /// <summary>Kills it and waits for its end.</summary>
    public async Task KillAsync()
    {
        Signal(Signals.Kill);
        _ = await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task<Report> NextAsync(TimeSpan patience)
    {
        string line = await _process.ReadLineAsync(patience, TestContext.Current.CancellationToken);
        return JsonSerializer.Deserialize<Report>(line)!;
    }
}
