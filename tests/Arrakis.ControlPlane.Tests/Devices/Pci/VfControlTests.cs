using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.Native.Pci;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

public sealed class VfControlTests
{
    public static TheoryData<string> Nonsense => ["mac", "vlan", "priority", "rate", "order"];

    [Theory]
    [MemberData(nameof(Nonsense))]
    public void Settings_that_make_no_sense_are_refused_before_the_kernel_is_asked(string which)
    {
        VfSettings settings = which switch
        {
            "mac" => new VfSettings { Mac = MacAddress.Broadcast },
            "vlan" => new VfSettings { Vlan = 4095 },
            "priority" => new VfSettings { Vlan = 5, VlanPriority = 8 },
            "rate" => new VfSettings { MaxRateMegabits = -1 },
            _ => new VfSettings { MinRateMegabits = 200, MaxRateMegabits = 100 },
        };

        Assert.Equal(ErrorCode.InvalidRequest, Assert.Throws<ArrakisException>(() => new VfControl("nowhere0").Apply(0, settings)).Code);
    }

    [Fact]
    public void An_interface_that_is_not_there_is_an_error_that_names_it()
    {
        ArrakisException fault = Assert.Throws<ArrakisException>(() => new VfControl("nowhere0").Apply(0, new VfSettings { SpoofCheck = true }));

        Assert.Equal(ErrorCode.DeviceUnavailable, fault.Code);
        Assert.Contains("nowhere0", fault.Cause, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interface_without_virtual_functions_is_an_error_that_says_so()
    {
        ArrakisException fault = Assert.Throws<ArrakisException>(() => new VfControl("lo").Read(0));

        Assert.Equal((ErrorCode.DeviceUnavailable, "Interface lo has no virtual function 0: its driver describes 0."), (fault.Code, fault.Cause));
    }

    [Fact]
    public void A_physical_function_without_an_interface_cannot_be_set()
    {
        var physical = new PciFunction { Address = PciAddress.Parse("01:00.0"), VendorId = 1, DeviceId = 1, Class = 0x020000 };

        Assert.Equal(ErrorCode.DeviceUnavailable, Assert.Throws<ArrakisException>(() => VfControl.Of(physical)).Code);
    }

    [Theory]
    [InlineData(1_000_000, 1)]
    [InlineData(1_999_999, 1)]
    [InlineData(2_500_000_000, 2500)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public void A_rate_is_rounded_down(long bits, int megabits) => Assert.Equal(megabits, VfControl.Megabits(bits));

    [Fact]
    public void A_rate_below_the_unit_is_refused_as_no_limit_would_be_set() =>
        Assert.Equal(ErrorCode.SettingRefused, Assert.Throws<ArrakisException>(() => VfControl.Megabits(999_999)).Code);
}
