namespace Arrakis.Ctl.Doctor;

/// <summary>All checks, in the order in which things depend on each other.</summary>
internal static class Examination
{
    internal static DoctorReport Run(Machine machine)
    {
        Finding[] findings =
        [
            .. KernelCheck.Run(machine),
            .. CoresCheck.Run(machine),
            .. IsolationCheck.Run(machine),
            .. HugePagesCheck.Run(machine),
            .. ServiceCheck.Run(machine),
            .. SriovCheck.Run(machine),
            .. IommuCheck.Run(machine),
            .. VfioCheck.Run(machine),
            .. MappingsCheck.Run(machine),
        ];
        return new DoctorReport(!findings.Any(static finding => finding.Severity == Severity.Problem), findings);
    }
}
