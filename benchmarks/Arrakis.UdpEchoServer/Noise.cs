namespace Arrakis.UdpEchoServer;

/// <summary>What the other threads of an echo server do.</summary>
internal enum NoiseKind
{
    /// <summary>There are none.</summary>
    None,

    /// <summary>They write as much memory as the allocating ones, always the same.</summary>
    Write,

    /// <summary>They allocate.</summary>
    Allocate,
}

/// <summary>What a server's own code asks of the collector.</summary>
internal enum CollectorMode
{
    AsConfigured,

    /// <summary><see cref="System.Runtime.GCLatencyMode.SustainedLowLatency"/>.</summary>
    SustainedLowLatency,

    /// <summary>One region without collections after the other, each as large as it may be.</summary>
    NoGcRegions,
}
