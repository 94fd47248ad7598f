namespace Arrakis.Hardware.Tests.Support;

/// <summary>Has every test fail that does not run in the lab's machine: what it changes is not to be changed on a host.</summary>
public sealed class InsideLab
{
    public InsideLab()
    {
        if (LabMachine.Kind is null)
        {
            throw new InvalidOperationException("These tests run in the lab's machine, not here: scripts/test Release Arrakis.Hardware.Tests");
        }
    }
}
