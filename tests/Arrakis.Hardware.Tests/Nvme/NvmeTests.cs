using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.DataPlane.Rings;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native.Storage;
using Arrakis.Native.Vfio;
using Arrakis.Wire.Nvme;

namespace Arrakis.Hardware.Tests.Nvme;

/// <summary>NVMe controllers in our hands: brought up by the control plane's part, their queues polled by the data plane's.</summary>
public abstract class NvmeTests(VfioInterface way)
{
    private const int Mebibyte = 1 << 20;
    private const string VfioDriver = "vfio-pci";

    [Fact]
    public async Task A_controller_is_enabled_and_says_what_it_is()
    {
        PciFunction function = LabMachine.PlainNvme;
        string folder = Directory.GetDirectories(Path.Combine(function.Folder, "nvme")).Single();
        string serial = (await File.ReadAllTextAsync(Path.Combine(folder, "serial"), TestContext.Current.CancellationToken)).Trim();
        string model = (await File.ReadAllTextAsync(Path.Combine(folder, "model"), TestContext.Current.CancellationToken)).Trim();
        using var held = new Held(function);
        await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way);
        IdentifyController identity = binding.Controller.Identity;
        Assert.Equal((serial, model, "PLAIN0"), (identity.SerialNumber, identity.Model, identity.SerialNumber));
        Assert.Equal((512, 131072L), (binding.Geometry.BlockSize, binding.Geometry.BlockCount));
        Assert.True(identity.HasSgl && identity.HasWriteZeroes && identity.HasDatasetManagement && identity.HasVolatileWriteCache);
        Assert.InRange(binding.Geometry.MaxTransferLength, 4096, Mebibyte);
        Assert.InRange(binding.Controller.Capabilities.MaxQueueEntries, 2, 65536);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_our_driver_writes_the_kernels_driver_reads_and_the_other_way_round(bool usesSgl)
    {
        PciFunction function = LabMachine.PlainNvme;
        var ours = new DiskPattern(usesSgl ? 11u : 12u, 3 * Mebibyte, 8 * Mebibyte);
        var kernels = new DiskPattern(usesSgl ? 21u : 22u, 20 * Mebibyte + 512, 8 * Mebibyte);
        using (var held = new Held(function))
        {
            await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way, usesSgl: usesSgl);
            binding.WritePattern(ours);
            binding.DoWell(NvmeBinding.Other(0, BlockOperation.Flush));
        }

        using (KernelDisk disk = await KernelDisk.OpenAsync(function))
        {
            disk.Check(ours);
            disk.Write(kernels);
        }

        using (var held = new Held(function))
        {
            await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way, usesSgl: usesSgl);
            binding.CheckPattern(kernels);
            binding.CheckPattern(ours);
        }
    }

    [Fact]
    public async Task Queues_of_several_sizes_go_round()
    {
        PciFunction function = LabMachine.PlainNvme;
        using var held = new Held(function);
        foreach (int size in (int[])[2, 4, 64, 1024, 2048])
        {
            await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way, size);
            int rounds = size <= 64 ? 7 : 3;
            int depth = size - 1;
            for (int round = 0; round < rounds; round++)
            {
                // Each command has a page of its own, or shares one with others that write the same.
                var writes = new BlockCommand[depth];
                for (int i = 0; i < depth; i++)
                {
                    int offset = i % 256 * 4096;
                    binding.Bytes(offset, 512).Fill((byte)(round + i % 256));
                    writes[i] = binding.Transfer(i, BlockOperation.Write, round * depth + i, 512, offset);
                }

                binding.DoWell(writes);
                binding.Bytes(0, Mebibyte).Clear();
                binding.DoWell([.. Enumerable.Range(0, Math.Min(depth, 256)).Select(i => binding.Transfer(i, BlockOperation.Read, round * depth + i, 512, i * 4096))]);
                for (int i = 0; i < Math.Min(depth, 256); i++)
                {
                    Assert.True(binding.Bytes(i * 4096, 512).IndexOfAnyExcept((byte)(round + i)) < 0, $"Size {size}, round {round}: block {i} is another one's.");
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Data_at_the_borders_of_pages_and_lists_comes_back(bool usesSgl)
    {
        PciFunction function = LabMachine.PlainNvme;
        using var held = new Held(function);
        await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way, usesSgl: usesSgl);
        int most = binding.Geometry.MaxTransferLength;
        foreach ((int offset, int length) in ((int, int)[])[
            (0, 512), (3584, 512), (3584, 1024), (0, 4096), (512, 4096), (0, 8192), (512, 7680), (512, 8192), (0, 8704), (4, 8192), (3584, 9216), (0, most), (4092, most), (2048, most - 512)])
        {
            var pattern = new DiskPattern((uint)length, 30 * Mebibyte, length);
            pattern.Fill(binding.Bytes(offset, length), pattern.Start);
            binding.DoWell(binding.Transfer(0, BlockOperation.Write, pattern.Start / 512, length, offset, durable: true));
            binding.Bytes(0, Mebibyte).Fill(0xEE);
            binding.DoWell(binding.Transfer(3, BlockOperation.Read, pattern.Start / 512, length, offset));
            pattern.Check(binding.Bytes(offset, length), pattern.Start);
            Assert.True(binding.Bytes(0, offset).IndexOfAnyExcept((byte)0xEE) < 0, $"The device wrote in front of {length} bytes at {offset}.");
            Assert.True(
                binding.Bytes(offset + length, Mebibyte - offset - length).IndexOfAnyExcept((byte)0xEE) < 0, $"The device wrote behind {length} bytes at {offset}.");
        }
    }

    [Fact]
    public async Task Zeroes_discards_flushes_and_blocks_out_of_range_end_as_they_must()
    {
        PciFunction function = LabMachine.PlainNvme;
        using var held = new Held(function);
        await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way);
        binding.Bytes(0, 8192).Fill(7);
        binding.DoWell(binding.Transfer(0, BlockOperation.Write, 1000, 8192, 0));
        binding.DoWell(NvmeBinding.Other(1, BlockOperation.WriteZeroes, 1004, 4), NvmeBinding.Other(2, BlockOperation.Discard, 1012, 4));
        binding.DoWell(NvmeBinding.Other(1, BlockOperation.Flush));
        binding.DoWell(binding.Transfer(0, BlockOperation.Read, 1000, 6144, 8192));
        Assert.Equal([7, 7, 7, 7, 0, 0, 0, 0, 7, 7, 7, 7], Enumerable.Range(0, 12).Select(block => (int)binding.Bytes(8192 + block * 512, 512)[0]));

        BlockCompletion beyond = binding.Do(binding.Transfer(0, BlockOperation.Write, binding.Geometry.BlockCount - 1, 1024, 0))[0];
        Assert.Equal((BlockStatus.OutOfRange, NvmeStatus.LbaOutOfRange), (beyond.Status, beyond.RawStatus));
    }

    [Fact]
    public async Task A_completion_raises_the_queues_event()
    {
        PciFunction function = LabMachine.PlainNvme;
        using var held = new Held(function);
        await using NvmeBinding binding = await NvmeBinding.OpenAsync(function, way, queues: 2);
        binding.Events[1].TryDrain();
        Assert.True(binding.Queues[1].TryArmEvents());
        Assert.Equal(1, binding.Queues[1].Submit([NvmeBinding.Other(5, BlockOperation.Flush)]));
        binding.Queues[1].Publish();
        long start = TimeProvider.System.GetTimestamp();
        while (!binding.Events[1].TryDrain())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "No event came.");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.False(binding.Queues[1].TryArmEvents());
        Assert.Equal(1, binding.Queues[1].TakeCompleted(new BlockCompletion[4]));
    }

    [Fact]
    public async Task Virtual_functions_get_queues_and_reach_the_same_blocks_as_the_kernel()
    {
        PciFunction physical = LabMachine.Nvme;
        using var functions = VirtualFunctions.Make(physical, 2);
        string controller = Path.GetFileName(Directory.GetDirectories(Path.Combine(physical.Folder, "nvme")).Single());
        using (var device = new NvmeCharacterDevice($"/dev/{controller}"))
        {
            SecondaryControllers.Of(device).BringUp(2);
        }

        var ours = new DiskPattern(31, 0, 4 * Mebibyte);
        var second = new DiskPattern(32, 8 * Mebibyte, 4 * Mebibyte);
        var kernels = new DiskPattern(33, 16 * Mebibyte, 4 * Mebibyte);
        using var disk = await KernelDisk.OpenAsync(physical);
        using var one = new Held(functions[0]);
        using var two = new Held(functions[1]);
        await using NvmeBinding first = await NvmeBinding.OpenAsync(functions[0], way, queues: 2);
        await using NvmeBinding other = await NvmeBinding.OpenAsync(functions[1], way, usesSgl: true);
        Assert.NotEqual(first.Controller.Identity.ControllerId, other.Controller.Identity.ControllerId);
        Assert.Equal("SRIOV0", first.Controller.Identity.SerialNumber);
        first.WritePattern(ours);
        other.WritePattern(second);
        first.DoWell(NvmeBinding.Other(0, BlockOperation.Flush));
        disk.Check(ours);
        disk.Check(second);
        disk.Write(kernels);
        first.CheckPattern(kernels);
        other.CheckPattern(ours);
        first.CheckPattern(second);

        // Its second queue, which has an interrupt of its own.
        Assert.Equal(BlockStatus.Success, first.Do(1, [first.Transfer(9, BlockOperation.Read, 0, 4096, 0)])[0].Status);
        ours.Check(first.Bytes(0, 4096), 0);
    }

    /// <summary>A function in VFIO's hands, which the kernel's driver gets back.</summary>
    private sealed class Held : IDisposable
    {
        private readonly PciFunction _function;

        public Held(PciFunction function)
        {
            _function = function;
            function.BindTo(VfioDriver);
        }

        public void Dispose() => _function.GiveBack();
    }
}

/// <inheritdoc/>
public sealed class NvmeOverGroup() : NvmeTests(VfioInterface.Group);

/// <inheritdoc/>
public sealed class NvmeOverCdev() : NvmeTests(VfioInterface.Cdev);
