// Tests here count the process's descriptors, and run a device and a poller on two cores.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
