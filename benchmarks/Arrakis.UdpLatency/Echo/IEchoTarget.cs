using Arrakis.Wire;

namespace Arrakis.UdpLatency.Echo;

/// <summary>An echo server on a virtual function, which the device's tester port measures.</summary>
internal interface IEchoTarget : IAsyncDisposable
{
    /// <summary>What serves: one of <see cref="Report.Apis"/>.</summary>
    string Api { get; }

    MacAddress Mac { get; }

    Ipv4Address Address { get; }

    /// <summary>The serving thread.</summary>
    int Thread { get; }

    /// <summary>Fails if it has ended, with its own words.</summary>
    void ThrowIfExited();
}
