using Arrakis.UdpLatency.Daemon;
using Arrakis.UdpLatency.Echo;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>All rows of the rings in a closed loop.</summary>
internal static class ArrakisRun
{
    /// <summary>A daemon whose device polls on its core all the while, so it runs only while the kernel's client does not need that core.</summary>
    public static Task<DaemonSession> StartDaemonAsync(Session session, CancellationToken cancellation) =>
        DaemonSession.StartAsync(session.Plan.ClientCore, "spin", uplink: false, session.Teardown, cancellation);

    public static async Task MeasureAsync(Session session, DaemonSession daemon, IReadOnlyList<string> apis, List<LatencyRow> rows, CancellationToken cancellation)
    {
        foreach (string api in apis)
        {
            await using BindingEcho server = await BindingEcho.StartAsync(session.Plan, daemon, api, cancellation);
            foreach (int inFlight in MeasurementPlan.InFlight)
            {
                await TailRun.MeasureAsync(session, daemon, server, TestLoad.Closed(inFlight), rows, cancellation);
            }
        }
    }
}
