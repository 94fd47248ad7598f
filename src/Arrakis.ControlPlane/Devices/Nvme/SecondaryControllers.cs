using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Storage;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>
/// Gives the controllers of virtual functions the queues and interrupts that they need (NVMe 2.0 §8.26): through the kernel's driver of the
/// primary controller, which stays with it.
/// </summary>
/// <param name="run">Does an admin command on the primary controller with a page of data: returns its status, or throws where it was not done.</param>
internal sealed class SecondaryControllers(Func<NvmeCommand, Memory<byte>, NvmeStatus> run)
{
    // Dword 10 of virtualization management: the action, and the kind of resource (§5.28).
    private const uint SetOffline = 7, Assign = 8, SetOnline = 9;
    private const uint QueueResources = 0 << 8, InterruptResources = 1 << 8;

    private const int QueuesTotal = 32, QueuesMaximum = 44, InterruptsTotal = 64, InterruptsMaximum = 76; // VQFRT, VQFRSM, VIFRT, VIFRSM
    private const int MinQueues = 2; // The admin queue is one.

    /// <summary>Over the kernel's character device of a controller, such as /dev/nvme0.</summary>
    internal static SecondaryControllers Of(NvmeCharacterDevice device) => new((command, data) =>
    {
        Span<byte> bytes = stackalloc byte[NvmeCommand.Size];
        command.Write(bytes);
        return new NvmeStatus(device.Run(bytes, data.Span));
    });

    /// <summary>Brings the controllers of so many virtual functions online, each with an equal part of what there is. They must be switched on and in nobody's use.</summary>
    /// <exception cref="ArrakisException">The controller does not manage them, or has not enough.</exception>
    internal void BringUp(int functions)
    {
        byte[] primary = Identify(NvmeOpcode.IdentifyPrimaryCapabilities);
        IReadOnlyList<SecondaryController> all = SecondaryController.ReadList(Identify(NvmeOpcode.IdentifySecondaryControllers));
        int queues = Share(primary, QueuesTotal, QueuesMaximum, functions);
        int interrupts = Share(primary, InterruptsTotal, InterruptsMaximum, functions);
        if (queues < MinQueues || interrupts < 1)
        {
            throw Refused($"has {queues} queues and {interrupts} interrupts for each of {functions} virtual functions", "Ask for fewer functions.");
        }

        for (int i = 1; i <= functions; i++)
        {
            SecondaryController controller = all.FirstOrDefault(one => one.FunctionNumber == i);
            if (controller.FunctionNumber != i)
            {
                throw Refused($"has no secondary controller for virtual function {i}", "See what `nvme list-secondary` says.");
            }

            Manage(controller.ControllerId, SetOffline, 0);
            Manage(controller.ControllerId, Assign | QueueResources, (uint)queues);
            Manage(controller.ControllerId, Assign | InterruptResources, (uint)interrupts);
            Manage(controller.ControllerId, SetOnline, 0);
        }
    }

    private static int Share(byte[] primary, int total, int maximum, int functions)
    {
        long each = BinaryPrimitives.ReadUInt32LittleEndian(primary.AsSpan(total)) / functions;
        return (int)Math.Min(each, BinaryPrimitives.ReadUInt16LittleEndian(primary.AsSpan(maximum)));
    }

    private byte[] Identify(uint structure)
    {
        byte[] answer = new byte[IdentifyController.Length];
        Run(new NvmeCommand(NvmeOpcode.Identify, 0, 0, Dword10: structure), answer, "does not tell of its secondary controllers");
        return answer;
    }

    private void Manage(ushort controller, uint action, uint count) =>
        Run(
            new NvmeCommand(NvmeOpcode.VirtualizationManagement, 0, 0, Dword10: action | (uint)controller << 16, Dword11: count),
            Memory<byte>.Empty,
            $"does not give secondary controller {controller} what it needs (action {action & 0xF})");

    private void Run(NvmeCommand command, Memory<byte> data, string complaint)
    {
        try
        {
            NvmeStatus status = run(command, data);
            if (!status.IsSuccess)
            {
                throw Refused($"{complaint}: {status}", "Use a controller with virtualization management, and no other program that manages it meanwhile.");
            }
        }
        catch (LinuxException e)
        {
            throw Refused($"{complaint}: {e.Message}", "See the kernel's log (dmesg) for its reason.");
        }
    }

    private static ArrakisException Refused(string cause, string remedy) =>
        new(ErrorCode.DeviceUnavailable, $"The NVMe controller {cause}.", remedy);
}
