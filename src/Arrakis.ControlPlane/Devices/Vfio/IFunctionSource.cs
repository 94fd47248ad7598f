namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Functions that VFIO has.</summary>
/// <param name="Places">Where, by index.</param>
/// <param name="Driver">Knows their model; they are all of one.</param>
internal sealed record PreparedFunctions(IReadOnlyList<FunctionPlace> Places, IFunctionDriver Driver);

/// <summary>Where the functions of a device come from, and who enforces what they may do on the wire.</summary>
internal interface IFunctionSource
{
    /// <summary>The device's kind in its configuration.</summary>
    string Kind { get; }

    /// <summary>The kernel's interface on the physical function; null where there is none.</summary>
    string? Uplink { get; }

    /// <summary>Checks that the functions may be taken, makes them, and gives them to VFIO.</summary>
    /// <exception cref="Contract.ArrakisException">They may not, or the kernel does not give them; nothing is changed.</exception>
    Task<PreparedFunctions> PrepareAsync(CancellationToken cancellation);

    /// <summary>Has what is in front of a function enforce an identity.</summary>
    /// <exception cref="Contract.ArrakisException">It cannot.</exception>
    Task ConfigureAsync(int function, PortIdentity identity, CancellationToken cancellation);

    /// <summary>Gives all functions back to the drivers that had them.</summary>
    Task RestoreAsync();
}
