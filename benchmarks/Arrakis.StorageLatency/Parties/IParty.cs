namespace Arrakis.StorageLatency.Parties;

/// <summary>A way to storage.</summary>
internal interface IParty
{
    /// <summary>Its name in the result.</summary>
    string Name { get; }

    /// <summary>Whether it has a run of a workload.</summary>
    bool Has(Workload load);

    /// <summary>Runs a workload for so long.</summary>
    Task<Sample> RunAsync(Workload load, TimeSpan duration, CancellationToken cancellation);
}
