using Arrakis.Hardware.Tests.Support;

namespace Arrakis.Hardware.Tests.Rehearsal;

/// <summary>A class that is done before the machine stops: it is not run again. As its neighbours, it is run by the test of scripts/lab/run-tests alone, in the order of their names.</summary>
[Trait(LabMachine.Trait, LabMachine.Rehearsal)]
public sealed class ClassThatHasEndedTests
{
    [Fact]
    public void Its_result_stays() => Assert.False(StoppedMachine.Before(nameof(ClassThatHasEndedTests)));
}

/// <summary>Comes after the tests of a class.</summary>
public sealed class StandstillInTheEnd : IAsyncDisposable
{
    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await StoppedMachine.WaitForTheEndAsync();
}

/// <summary>A class of which a test fails before the machine stops: it is not run again either.</summary>
[Trait(LabMachine.Trait, LabMachine.Rehearsal)]
public sealed class ClassThatHasFailedTests(StandstillInTheEnd standstill) : IClassFixture<StandstillInTheEnd>
{
    [Fact]
    public void Its_failure_counts() => Assert.Null(standstill);
}

/// <summary>A class in which the machine stops: it runs in another.</summary>
[Trait(LabMachine.Trait, LabMachine.Rehearsal)]
public sealed class ClassThatIsInterruptedTests
{
    [Fact]
    public async Task It_runs_in_the_next_machine()
    {
        if (!StoppedMachine.Before(nameof(ClassThatIsInterruptedTests)))
        {
            await StoppedMachine.WaitForTheEndAsync();
        }
    }
}
