using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;

namespace Arrakis.UdpLatency.Soak;

/// <summary>Neighbours that come and go: other virtual functions are bound, and released or taken back, over and over.</summary>
/// <param name="controlSocket">The daemon's.</param>
/// <param name="seed">Of who goes how, and when.</param>
internal sealed class NeighbourChurn(string controlSocket, int seed)
{
    private const int LongestStayMilliseconds = 40;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(2);

    /// <summary>Bindings so far.</summary>
    public long Bound { get; private set; }

    /// <summary>Those of them that the administrator took back.</summary>
    public long Revoked { get; private set; }

    /// <summary>Goes on until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var random = new Random(seed);
        await using ArrakisClient administrator = await ArrakisClient.ConnectAsync(controlSocket, cancellation);
        await using ArrakisClient neighbour = await ArrakisClient.ConnectAsync(controlSocket, cancellation);
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                await ComeAndGoAsync(administrator, neighbour, random, cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The soak is over.
        }
    }

    private async Task ComeAndGoAsync(ArrakisClient administrator, ArrakisClient neighbour, Random random, CancellationToken cancellation)
    {
        var request = new NicRequest
        {
            Device = DaemonSetup.Device,
            OnRevocationRequested = static (_, binding) => binding.DisposeAsync(),
        };
        await using NicBinding nic = await neighbour.BindNicAsync(request, cancellation);
        Bound++;
        await Task.Delay(random.Next(LongestStayMilliseconds), cancellation);
        switch (random.Next(3))
        {
            case 0:
                break; // It goes by itself.
            case 1:
                await RevokeAsync(administrator, nic, RevocationMode.Invisible, cancellation);
                break;
            default:
                await RevokeAsync(administrator, nic, RevocationMode.Visible, cancellation);
                break;
        }
    }

    private async Task RevokeAsync(ArrakisClient administrator, NicBinding nic, RevocationMode mode, CancellationToken cancellation)
    {
        await administrator.RevokeAsync(nic.Grant.BindingId, mode, s_deadline, cancellation);
        Revoked++;
    }
}
