// DPDK's processes pin both cores and share the machine's hugepages.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
