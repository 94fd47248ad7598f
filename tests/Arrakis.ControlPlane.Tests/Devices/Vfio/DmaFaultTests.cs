using Arrakis.ControlPlane.Devices.Vfio;

namespace Arrakis.ControlPlane.Tests.Devices.Vfio;

public sealed class DmaFaultTests
{
    [Theory]
    [InlineData("DMAR: [DMA Write NO_PASID] Request device [01:10.0] fault addr 0x200000000 [fault reason 0x05] PTE Write access is not set", "01:10.0", 0x2_0000_0000UL, true)]
    [InlineData("DMAR: [DMA Read NO_PASID] Request device [02:00.1] fault addr 0xdead000 [fault reason 0x06] PTE Read access is not set", "02:00.1", 0xdead000UL, false)]
    [InlineData("AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:04:00.0 domain=0x0011 address=0x1000 flags=0x0020]", "04:00.0", 0x1000UL, false)]
    [InlineData("vfio-pci 0000:04:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0x1000 flags=0x0020]", null, 0UL, false)]
    [InlineData("DMAR: [INTR-REMAP] Request device [01:10.0] fault index 0x1 [fault reason 0x22] Present field in the IRTE entry is clear", null, 0UL, false)]
    [InlineData("DMAR: [DMA Write NO_PASID] Request device [zz:10.0] fault addr 0x1", null, 0UL, false)]
    [InlineData("", null, 0UL, false)]
    public void The_kernels_lines_are_read(string line, string? function, ulong address, bool isWrite)
    {
        Assert.Equal(function is not null, DmaFault.TryParse(line, out DmaFault fault));
        if (function is not null)
        {
            Assert.Equal(new DmaFault(function, address, isWrite), fault);
        }
    }
}
