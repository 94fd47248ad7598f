using Arrakis.Contract.Control;
using Arrakis.SystemApp.Conversation;
using Arrakis.TestBed.Daemon;

namespace Arrakis.SystemTests.Support;

/// <summary>An application whose polling thread answers under a filter that kills at any system call.</summary>
/// <remarks>
/// Nothing may suspend its threads meanwhile, because that takes system calls on each: no tiered compilation, and no
/// garbage collection, for which the rest of the process allocates next to nothing.
/// </remarks>
internal sealed class FilteredApp : IAsyncDisposable
{
    private const long WarmUp = 100_000;
    private const int SeccompModeFilter = 2;
    private static readonly Dictionary<string, string> s_environment = new()
    {
        ["DOTNET_TieredCompilation"] = "0",
        ["DOTNET_GCgen0size"] = "0x8000000",
    };

    private readonly DaemonProcess _daemon;
    private readonly AppProcess _app;

    private FilteredApp(DaemonProcess daemon, AppProcess app, BoundReport bound)
    {
        _daemon = daemon;
        _app = app;
        Bound = bound;
    }

    public BoundReport Bound { get; }

    public int Id => _app.Id;

    /// <summary>Starts it, warms it up, and puts its polling thread under the filter.</summary>
    public static async Task<FilteredApp> StartAsync(DaemonProcess daemon, ServerApi api)
    {
        AppProcess process = AppProcess.Start(new FilteredEchoOrder(daemon.ControlSocket, api, Cores.Application, Load.Port), environment: s_environment);
        try
        {
            var app = new FilteredApp(daemon, process, await process.ExpectAsync<BoundReport>());
            await Load.EchoesAsync(daemon, app.Bound, WarmUp);
            _ = await app.ObeyAsync<ProofReport>("rehearse");
            FilteredReport filtered = await app.ObeyAsync<FilteredReport>("filter");
            string status = await File.ReadAllTextAsync($"/proc/{app.Id}/task/{filtered.Thread}/status", TestContext.Current.CancellationToken);
            Assert.Contains($"Seccomp:\t{SeccompModeFilter}", status, StringComparison.Ordinal);
            return app;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the count.</summary>
    public Task<ProofReport> FinishAsync() => ObeyAsync<ProofReport>("finish");

    /// <summary>Has it wait for its revocation.</summary>
    public Task TellAsync(string command) => _app.TellAsync(command);

    /// <inheritdoc cref="AppProcess.ExpectAsync{T}"/>
    public Task<T> ExpectAsync<T>()
        where T : Report => _app.ExpectAsync<T>();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    // A command is obeyed at the next datagram. The last of these may go unanswered.
    private async Task<T> ObeyAsync<T>(string command)
        where T : Report
    {
        await _app.TellAsync(command);
        Task<T> report = _app.ExpectAsync<T>();
        TestPlan trigger = Load.Plan(Bound, 10, inFlight: 1) with { DurationMilliseconds = 50, LossTimeoutMilliseconds = 50 };
        while (!report.IsCompleted)
        {
            _ = await Load.RunAsync(_daemon, trigger);
        }

        return await report;
    }
}
