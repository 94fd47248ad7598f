namespace Arrakis.Ctl.Doctor;

/// <summary>How bad a finding is.</summary>
internal enum Severity
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Works; could be better, or is needed for something that this machine has no hardware for.</summary>
    Note,

    /// <summary>Something does not work: software bindings, or hardware that is there.</summary>
    Problem,
}

/// <summary>What a check has found.</summary>
/// <param name="Check">What was looked at, in a word or two.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Seen">What was seen.</param>
/// <param name="Remedy">What to do; null where there is nothing to do.</param>
internal sealed record Finding(string Check, Severity Severity, string Seen, string? Remedy = null);

/// <summary>All that was found.</summary>
/// <param name="Usable">Whether nothing is a problem.</param>
/// <param name="Findings">The findings, in the order in which things depend on each other.</param>
internal sealed record DoctorReport(bool Usable, IReadOnlyList<Finding> Findings);
