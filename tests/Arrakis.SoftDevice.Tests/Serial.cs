// Tests here count the process's descriptors and look for its polling thread.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
