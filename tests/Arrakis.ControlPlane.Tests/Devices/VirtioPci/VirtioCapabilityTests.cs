using System.Buffers.Binary;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Devices.VirtioPci;

namespace Arrakis.ControlPlane.Tests.Devices.VirtioPci;

public sealed class VirtioCapabilityTests
{
    [Fact]
    public void Structures_are_found_past_other_capabilities_and_the_first_of_a_kind_counts()
    {
        byte[] configuration = Configuration();
        Link(configuration, 0x34, 0x40);
        configuration[0x40] = 0x11; // MSI-X
        Link(configuration, 0x41, 0x50);
        Capability(configuration, 0x50, VirtioStructure.Common, bar: 4, offset: 0x1000, next: 0x64);
        Capability(configuration, 0x64, VirtioStructure.Notify, bar: 4, offset: 0x3000, next: 0x80, multiplier: 4);
        Capability(configuration, 0x80, VirtioStructure.Common, bar: 2, offset: 0, next: 0x94);
        Capability(configuration, 0x94, (VirtioStructure)77, bar: 2, offset: 0, next: 0xA8);
        Capability(configuration, 0xA8, VirtioStructure.Device, bar: 6, offset: 0, next: 0); // There is no BAR 6.
        IReadOnlyDictionary<VirtioStructure, VirtioCapability> found = VirtioCapability.Find(configuration);
        Assert.Equal(2, found.Count);
        Assert.Equal(new VirtioCapability(4, 0x1000, 0x1000, 0), found[VirtioStructure.Common]);
        Assert.Equal(new VirtioCapability(4, 0x3000, 0x1000, 4), found[VirtioStructure.Notify]);
    }

    [Fact]
    public void A_list_that_runs_in_a_circle_is_refused()
    {
        byte[] configuration = Configuration();
        Link(configuration, 0x34, 0x40);
        Link(configuration, 0x41, 0x44);
        Link(configuration, 0x45, 0x40);
        _ = Assert.Throws<FunctionFaultException>(() => VirtioCapability.Find(configuration));
    }

    [Fact]
    public void Any_configuration_space_ends_in_structures_or_a_refusal()
    {
        var random = new Random(0x517);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] configuration = new byte[256];
            random.NextBytes(configuration);
            configuration[6] |= 0x10;
            if (random.Next(2) == 0)
            {
                configuration[0x34] = (byte)random.Next(0x40, 0x100);
            }

            for (int at = 0x40; at < 0xF0 && random.Next(4) != 0; at += 16)
            {
                configuration[at] = 9;
            }

            try
            {
                Assert.All(VirtioCapability.Find(configuration).Values, static found => Assert.InRange(found.Bar, 0, 5));
            }
            catch (FunctionFaultException)
            {
                // Told.
            }
        }
    }

    private static byte[] Configuration()
    {
        byte[] configuration = new byte[256];
        configuration[6] = 0x10;
        return configuration;
    }

    private static void Link(byte[] configuration, int at, byte next) => configuration[at] = next;

    private static void Capability(byte[] configuration, int at, VirtioStructure kind, byte bar, uint offset, byte next, uint multiplier = 0)
    {
        Span<byte> capability = configuration.AsSpan(at);
        capability[0] = 9;
        capability[1] = next;
        capability[2] = kind == VirtioStructure.Notify ? (byte)20 : (byte)16;
        capability[3] = (byte)kind;
        capability[4] = bar;
        BinaryPrimitives.WriteUInt32LittleEndian(capability[8..], offset);
        BinaryPrimitives.WriteUInt32LittleEndian(capability[12..], 0x1000);
        if (kind == VirtioStructure.Notify)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(capability[16..], multiplier);
        }
    }
}
