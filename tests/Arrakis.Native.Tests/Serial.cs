// Tests here count the process's descriptors and the machine's hugepages.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
