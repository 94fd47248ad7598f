using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire.Nvme;

namespace Arrakis.ControlPlane.Tests.Devices.Nvme;

public sealed class NvmeControllerTests : IDisposable
{
    private readonly NvmeMemory _memory = new();
    private readonly SteppingTime _time = new();

    public void Dispose() => _memory.Dispose();

    [Fact]
    public async Task A_controller_comes_up_as_the_specification_says()
    {
        var fake = new FakeNvmeController(_memory);
        NvmeController controller = await EnableAsync(fake);
        Assert.Equal(0x003F_003Fu, fake.Register(NvmeRegister.AdminQueueAttributes));
        Assert.Equal(0x4000_0000u, fake.Register(NvmeRegister.AdminSubmissionQueue));
        Assert.Equal(0x4000_1000u, fake.Register(NvmeRegister.AdminCompletionQueue));
        Assert.Equal(0x0046_0001u, fake.Register(NvmeRegister.Configuration));
        Assert.Equal(("SERIAL-1", (ushort)7), (controller.Identity.SerialNumber, controller.Identity.ControllerId));
        Assert.Equal(1024, controller.Capabilities.MaxQueueEntries);

        BlockGeometry geometry = await controller.DescribeAsync(1, default);
        Assert.Equal(
            new BlockGeometry(
                4096, 1 << 20, StorageCapabilities.VolatileCache | StorageCapabilities.ForceUnitAccess | StorageCapabilities.Discard | StorageCapabilities.WriteZeroes, 128 << 10, 1),
            geometry);
    }

    [Fact]
    public async Task A_cache_that_is_off_or_not_there_makes_each_write_durable()
    {
        BlockGeometry off = await (await EnableAsync(new FakeNvmeController(_memory) { IsCacheOn = false })).DescribeAsync(1, default);
        Assert.False(off.Capabilities.HasFlag(StorageCapabilities.VolatileCache));
        var none = new FakeNvmeController(_memory);
        none.Controller[525] = 0;
        none.Controller[520] = 0;
        BlockGeometry without = await (await EnableAsync(none)).DescribeAsync(1, default);
        Assert.Equal(StorageCapabilities.ForceUnitAccess, without.Capabilities);
    }

    [Fact]
    public async Task Queue_pairs_are_made_and_deleted_in_the_order_that_they_need()
    {
        var fake = new FakeNvmeController(_memory);
        NvmeController controller = await EnableAsync(fake);
        Assert.Equal(4, await controller.RequestQueuesAsync(2, default));
        fake.Commands.Clear();
        await controller.CreateQueuePairAsync(2, 256, 0x1_0000_0000, 0x1_0001_0000, 1, default);
        await controller.DeleteQueuePairAsync(2, default);
        Assert.Equal(
            [
                (NvmeOpcode.CreateCompletionQueue, 0x1_0001_0000UL, 2u | 255u << 16, 0x0001_0003u),
                (NvmeOpcode.CreateSubmissionQueue, 0x1_0000_0000UL, 2u | 255u << 16, 0x0002_0001u),
                (NvmeOpcode.DeleteSubmissionQueue, 0UL, 2u, 0u),
                (NvmeOpcode.DeleteCompletionQueue, 0UL, 2u, 0u),
            ],
            fake.Commands.Select(static command => (command.Opcode, command.Data1, command.Dword10, command.Dword11)));
        await FaultAsync("at most 1024 entries", controller.CreateQueuePairAsync(1, 2048, 0, 0, null, default));
        await controller.DisableAsync(default);
        Assert.False(fake.IsEnabled);
    }

    [Fact]
    public async Task The_admin_queue_goes_round()
    {
        var fake = new FakeNvmeController(_memory);
        NvmeController controller = await EnableAsync(fake);
        for (int i = 0; i < 3 * NvmeCommandQueue.Size; i++)
        {
            Assert.Equal(4, await controller.RequestQueuesAsync(1, default));
        }

        Assert.Equal(3 * NvmeCommandQueue.Size + 1, fake.Commands.Count);
    }

    [Fact]
    public async Task Blocks_are_zeroed_by_the_command_or_by_writing()
    {
        var fake = new FakeNvmeController(_memory);
        NvmeController controller = await EnableAsync(fake);
        BlockGeometry geometry = await controller.DescribeAsync(1, default);
        fake.Commands.Clear();
        await NvmeZeroing.RunAsync(controller, geometry, [new BlockExtent(5, 70_000)], default);
        Assert.Equal(
            [(NvmeOpcode.WriteZeroes, 5u, 65535u), (NvmeOpcode.WriteZeroes, 65541u, 70_000u - 65536 - 1), (NvmeOpcode.Flush, 0u, 0u)],
            fake.Commands.Skip(3).Select(static command => (command.Opcode, command.Dword10, command.Dword12)));

        fake.Commands.Clear();
        await controller.DeleteQueuePairAsync(1, default);
        await controller.DisableAsync(default);
        controller = await EnableAsync(fake);
        fake.Commands.Clear();
        await NvmeZeroing.RunAsync(controller, geometry with { Capabilities = StorageCapabilities.None }, [new BlockExtent(100, 18)], default);
        Assert.Equal(
            [
                (NvmeOpcode.Write, NvmeMemory.Data, NvmeMemory.SecondEntry(65536), 100u, 15u),
                (NvmeOpcode.Write, NvmeMemory.Data, NvmeMemory.SecondEntry(8192), 116u, 1u),
                (NvmeOpcode.Flush, 0UL, 0UL, 0u, 0u),
            ],
            fake.Commands.Skip(3).Select(static command => (command.Opcode, command.Data1, command.Data2, command.Dword10, command.Dword12)));
    }

    [Fact]
    public Task A_controller_that_never_gets_ready_is_given_up() =>
        FaultAsync("not ready within the 2 s", EnableAsync(new FakeNvmeController(_memory) { NeverReady = true }));

    [Fact]
    public Task A_controller_that_fails_as_it_is_enabled_is_given_up() =>
        FaultAsync("CSTS.CFS", EnableAsync(new FakeNvmeController(_memory) { FailsAtEnable = true }));

    [Fact]
    public Task A_controller_that_is_gone_is_given_up() =>
        FaultAsync("read as ones", EnableAsync(new FakeNvmeController(_memory) { IsGone = true }));

    [Fact]
    public Task A_controller_that_completes_nothing_is_given_up() =>
        FaultAsync("within 5 s", EnableAsync(new FakeNvmeController(_memory) { NeverCompletes = true }));

    [Fact]
    public Task A_controller_that_completes_another_command_is_given_up() =>
        FaultAsync("completed command 1", EnableAsync(new FakeNvmeController(_memory) { IdError = 1 }));

    [Fact]
    public Task Pages_that_are_too_large_are_refused() =>
        FaultAsync("no pages of 4096 bytes", EnableAsync(new FakeNvmeController(_memory) { Capabilities = 1023UL | 4UL << 24 | 1UL << 37 | 1UL << 48 }));

    [Fact]
    public async Task A_refusal_names_the_status()
    {
        var fake = new FakeNvmeController(_memory);
        NvmeController controller = await EnableAsync(fake);
        fake.Refused[NvmeOpcode.CreateSubmissionQueue] = NvmeStatus.InvalidQueueSize;
        await FaultAsync("submission queue 1 of 64 entries: status type 1, code 0x02", controller.CreateQueuePairAsync(1, 64, 0, 0, null, default));
    }

    [Theory]
    [InlineData(0, "not active")]
    [InlineData(26, "format 5 of 2")]
    [InlineData(134, "2^60 bytes")]
    [InlineData(132, "metadata")]
    [InlineData(99, "write protected")]
    public async Task A_namespace_that_cannot_be_served_is_refused(int place, string reason)
    {
        var fake = new FakeNvmeController(_memory);
        if (place == 0)
        {
            fake.Namespace.AsSpan(0, 8).Clear();
        }
        else
        {
            fake.Namespace[place] = place switch { 26 => 5, 134 => 60, 132 => 8, _ => 1 };
        }

        NvmeController controller = await EnableAsync(fake);
        await FaultAsync(reason, controller.DescribeAsync(1, default));
        await FaultAsync("none of number 2", controller.DescribeAsync(2, default));
    }

    [Fact]
    public void Secondary_controllers_get_equal_shares_and_come_online()
    {
        List<(uint Action, uint Count)> managed = [];
        Secondary(managed, functions: 4).BringUp(2);
        Assert.Equal(
            [
                (7u | 5u << 16, 0u), (8u | 5u << 16, 4u), (8u | 1u << 8 | 5u << 16, 2u), (9u | 5u << 16, 0u),
                (7u | 6u << 16, 0u), (8u | 6u << 16, 4u), (8u | 1u << 8 | 6u << 16, 2u), (9u | 6u << 16, 0u),
            ],
            managed);
    }

    [Fact]
    public void A_function_without_a_controller_or_without_queues_is_refused()
    {
        ArrakisException missing = Assert.Throws<ArrakisException>(() => Secondary([], functions: 1).BringUp(2));
        Assert.Contains("no secondary controller for virtual function 2", missing.Message, StringComparison.Ordinal);
        ArrakisException few = Assert.Throws<ArrakisException>(() => Secondary([], functions: 12).BringUp(12));
        Assert.Contains("1 queues", few.Message, StringComparison.Ordinal);
    }

    // 16 queues and 8 interrupts in all, at most 4 and 2 for one controller; controllers from 5 on.
    private static SecondaryControllers Secondary(List<(uint Action, uint Count)> managed, int functions) => new((command, data) =>
    {
        if (command.Opcode == NvmeOpcode.VirtualizationManagement)
        {
            managed.Add((command.Dword10, command.Dword11));
        }
        else if (command.Dword10 == NvmeOpcode.IdentifyPrimaryCapabilities)
        {
            data.Span[32] = 16;
            data.Span[44] = 4;
            data.Span[64] = 8;
            data.Span[76] = 2;
        }
        else
        {
            data.Span[0] = (byte)functions;
            for (int i = 0; i < functions; i++)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(data.Span[(32 + 32 * i)..], (ushort)(5 + i));
                BinaryPrimitives.WriteUInt16LittleEndian(data.Span[(40 + 32 * i)..], (ushort)(1 + i));
            }
        }

        return new NvmeStatus(NvmeStatus.Success);
    });

    private static async Task FaultAsync(string reason, Task task) =>
        Assert.Contains(reason, (await Assert.ThrowsAsync<FunctionFaultException>(() => task)).Message, StringComparison.Ordinal);

    private Task<NvmeController> EnableAsync(FakeNvmeController fake) => NvmeController.EnableAsync(fake, _memory, _time, default);
}
