using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Nic;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Doorbells that are registers of a device, as a virtio function has them over PCI: its notification addresses.</summary>
public sealed class RegisterDoorbellTests
{
    private const uint Untouched = 0xAAAA_AAAA;
    private const int ReceiveNotify = 0x40;
    private const int TransmitNotify = 0x1040; // In the second page.

    private static readonly Dictionary<string, Func<QueueGrant, QueueGrant>> s_refused = new()
    {
        ["a register of a byte"] = static q => q with { Doorbell = new(0x40, 1) },
        ["a register of eight bytes"] = static q => q with { Doorbell = new(0x40, 8) },
        ["a register at an odd place"] = static q => q with { Doorbell = new(0x42, 4) },
        ["a register before the file"] = static q => q with { Doorbell = new(-4, 4) },
        ["a register farther than any region"] = static q => q with { Doorbell = new(DoorbellRegister.MaxFileOffset + 4, 4) },
        ["a register of the largest offset"] = static q => q with { Doorbell = new(long.MaxValue - 3, 4) },
        ["an odd register for events"] = static q => q with { EventArm = new(0x81, 2) },
        ["a register for events without a doorbell"] = static q => q with { Doorbell = null, KickDescriptor = 2, EventArm = new(0x80, 4) },
        ["an eventfd as a device"] = static q => q with { KickDescriptor = 2 },
        ["the memory as a device"] = static q => q with { KickDescriptor = 0 },
        ["a device that did not come"] = static q => q with { KickDescriptor = 4 },
        ["a device as an event"] = static q => q with { EventDescriptor = 3 },
        ["a device as an eventfd"] = static q => q with { Doorbell = null },
    };

    public static TheoryData<string> Refused => [.. s_refused.Keys];

    [Fact]
    public async Task A_queues_index_is_written_to_its_register_of_two_bytes_and_nothing_beside_it()
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        registers[ReceiveNotify] = registers[TransmitNotify] = Untouched;
        await using NicBinding nic = Bind(device, registers);
        Assert.Equal(Untouched, registers[ReceiveNotify]);

        device.SetLink(up: true, epoch: 1); // A device that came back is told of all rings.
        _ = nic.PollOnce(NativeEchoTests.Echo);

        Assert.Equal(0xAAAA_0006u, registers[ReceiveNotify]);
        Assert.Equal(0xAAAA_0007u, registers[TransmitNotify]);
        Assert.False(device.Event.TryDrain());
    }

    [Fact]
    public async Task A_datagram_is_answered_and_a_device_that_sleeps_is_told_by_its_register()
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        await using NicBinding nic = Bind(device, registers);
        _ = nic.PollOnce(NativeEchoTests.Echo); // The first one sees the link come up.
        registers[TransmitNotify] = Untouched;
        device.Deliver(TestFrames.Udp(1234, 7, "awake"u8));
        Assert.Equal(1, nic.PollOnce(NativeEchoTests.Echo));
        Assert.Equal("awake"u8.ToArray(), TestFrames.ReadUdp(device.TakeSentIp()).Payload);
        Assert.Equal(Untouched, registers[TransmitNotify]);

        device.FromDriver.RequestNotification(true);
        device.Deliver(TestFrames.Udp(1234, 7, "asleep"u8));
        Assert.Equal(1, nic.PollOnce(NativeEchoTests.Echo));
        Assert.Equal(0xAAAA_0007u, registers[TransmitNotify]);
        Assert.Equal("asleep"u8.ToArray(), TestFrames.ReadUdp(device.TakeSentIp()).Payload);
    }

    [Fact]
    public async Task Registers_that_are_taken_away_end_the_binding_and_not_the_process()
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        await using NicBinding nic = Bind(device, registers);
        registers.SwitchOff();
        device.SetLink(up: true, epoch: 1);

        BindingRevokedException error = Assert.Throws<BindingRevokedException>(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                _ = nic.PollOnce(NativeEchoTests.Echo);
            }
        });
        Assert.Equal(device.Grant.BindingId, error.BindingId);
        Assert.Throws<BindingRevokedException>(() => nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_disposed_binding_leaves_no_page_mapped_and_no_descriptor_open()
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        int before = DisposalTests.OpenDescriptors();
        NicBinding nic = Bind(device, registers);
        Assert.Equal(3, MappedPages()); // The test's own, and one for each of the two registers.
        await nic.DisposeAsync();
        Assert.Equal(1, MappedPages());
        Assert.Equal(before, DisposalTests.OpenDescriptors());
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_register_that_makes_no_sense_is_refused(string name)
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        Grant grant = WithRegisters(device.Grant);
        int before = DisposalTests.OpenDescriptors();
        Assert.Throws<InvalidGrantException>(
            () => new NicBinding(
                grant with { Queues = [s_refused[name](grant.Queues[0]), grant.Queues[1]] },
                Descriptors(device, registers),
                static _ => default,
                isDevice: RegisterPage.IsDevice));
        Assert.Equal(before, DisposalTests.OpenDescriptors());
        Assert.Equal(1, MappedPages());
    }

    [Fact]
    public void A_memory_file_is_no_device_outside_of_tests()
    {
        using var device = new TestDevice();
        using var registers = new RegisterPage();
        InvalidGrantException error = Assert.Throws<InvalidGrantException>(
            () => new NicBinding(WithRegisters(device.Grant), Descriptors(device, registers), static _ => default));
        Assert.Contains("VFIO device", error.Cause, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("anon_inode:[vfio-device]", true)]
    [InlineData("/dev/vfio/devices/vfio0", true)]
    [InlineData("/dev/vfio/vfio", false)]
    [InlineData("/dev/vfio/12", false)]
    [InlineData("anon_inode:[eventfd]", false)]
    [InlineData("/memfd:/dev/vfio/devices/ (deleted)", false)]
    [InlineData("/tmp/dev/vfio/devices/vfio0", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void A_device_is_known_by_its_link(string? link, bool isDevice) => Assert.Equal(isDevice, GrantValidation.IsVfioDevice(link));

    [Fact]
    public void Registers_in_one_page_share_its_mapping_and_are_written_in_their_width()
    {
        using var page = new RegisterPage(1);
        using var registers = new DeviceRegisters();
        page[0x100] = page[0x104] = page[0xFFC] = Untouched;
        registers.Map(new(0x100, 4, 5), 3, page.File.Descriptor).Write();
        registers.Map(new(0x106, 2, 9), 3, page.File.Descriptor).Write(0x1_2345);
        registers.Map(new(0xFFC, 4), 3, page.File.Descriptor).Write(uint.MaxValue);
        Assert.Equal((5u, 0x2345_AAAAu, uint.MaxValue), (page[0x100], page[0x104], page[0xFFC]));
        Assert.Equal(2, MappedPages());
        Assert.False(registers.IsFaulted);
    }

    [Fact]
    public void A_register_past_the_devices_file_is_no_crash()
    {
        using var page = new RegisterPage(1);
        using var registers = new DeviceRegisters();
        DeviceRegister register = registers.Map(new(MemoryFile.BasePageSize, 4), 3, page.File.Descriptor);
        register.Write(1);
        Assert.True(registers.IsFaulted);
    }

    private static NicBinding Bind(TestDevice device, RegisterPage registers) =>
        new(WithRegisters(device.Grant), Descriptors(device, registers), static _ => default, isDevice: RegisterPage.IsDevice);

    private static Grant WithRegisters(Grant grant) => grant with
    {
        Queues =
        [
            grant.Queues[0] with { KickDescriptor = 3, Doorbell = new(ReceiveNotify, 2, 6) },
            grant.Queues[1] with { KickDescriptor = 3, Doorbell = new(TransmitNotify, 2, 7) },
        ],
    };

    // Memory, status page, the pair's event, and the device's file once.
    private static Descriptor[] Descriptors(TestDevice device, RegisterPage registers)
    {
        Descriptor[] all = device.Descriptors();
        all[3].Dispose();
        all[4].Dispose();
        return [.. all[..3], registers.File.Descriptor.Duplicate()];
    }

    private static int MappedPages() =>
        File.ReadAllText("/proc/self/maps").Split('\n').Count(static line => line.Contains("test registers", StringComparison.Ordinal));
}
