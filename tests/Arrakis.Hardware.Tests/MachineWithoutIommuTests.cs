using Arrakis.Hardware.Tests.Support;

namespace Arrakis.Hardware.Tests;

/// <summary>The second machine: the same devices, and nothing that keeps them in bounds.</summary>
[Trait(LabMachine.Trait, LabMachine.WithoutIommu)]
public sealed class MachineWithoutIommuTests
{
    [Fact]
    public void No_device_has_a_group() => Assert.All(LabMachine.Functions, static function =>
    {
        Assert.True(function.Exists);
        Assert.Null(function.IommuGroup);
    });

    [Fact]
    public void Vfio_does_not_take_a_device()
    {
        PciFunction function = LabMachine.VirtioNet;
        try
        {
            Assert.ThrowsAny<Exception>(() => function.BindTo("vfio-pci"));
            Assert.Null(function.Driver);
        }
        finally
        {
            function.GiveBack();
        }

        Assert.Equal("virtio-pci", function.Driver);
    }
}
