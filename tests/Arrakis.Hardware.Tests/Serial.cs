// Tests here share the machine's devices, its hugepages and its two cores.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
[assembly: AssemblyFixture(typeof(Arrakis.Hardware.Tests.Support.InsideLab))]
