// Tests here pin pollers to cores, and count the machine's hugepages.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
