using System.Buffers.Binary;
using Arrakis.Wire.Nvme;
using CsCheck;

namespace Arrakis.Wire.Tests.Nvme;

public sealed class NvmeFormatTests
{
    [Fact]
    public void A_command_that_was_written_is_read_as_the_same() =>
        Gen.Select(Gen.Byte, Gen.UShort, Gen.UInt, Gen.ULong, Gen.ULong, Gen.UInt, Gen.UInt, Gen.Select(Gen.UInt, Gen.Bool)).Sample(
            (opcode, id, space, first, second, word10, word11, rest) =>
            {
                var command = new NvmeCommand(opcode, id, space, first, second, word10, word11, rest.Item1) { UsesSgl = rest.Item2 };
                byte[] bytes = new byte[NvmeCommand.Size];
                Array.Fill(bytes, (byte)0xFF);
                command.Write(bytes);
                return NvmeCommand.Read(bytes) == command && bytes.AsSpan(8, 16).IndexOfAnyExcept((byte)0) < 0 && bytes.AsSpan(52).IndexOfAnyExcept((byte)0) < 0;
            },
            seed: Seeds.Fixed);

    [Fact]
    public void A_command_has_its_fields_where_the_specification_has_them()
    {
        byte[] bytes = new byte[NvmeCommand.Size];
        new NvmeCommand(NvmeOpcode.Read, 0x1234, 1, 0x1000, 0x2000, 5, 6, 7) { UsesSgl = true }.Write(bytes);
        Assert.Equal("0240341201000000", Convert.ToHexString(bytes.AsSpan(0, 8)));
        Assert.Equal("00100000000000000020000000000000", Convert.ToHexString(bytes.AsSpan(24, 16)));
        Assert.Equal("050000000600000007000000", Convert.ToHexString(bytes.AsSpan(40, 12)));
    }

    [Theory]
    [InlineData(0x0001_0007u, 7, true, 0)]
    [InlineData(0x0100_0007u, 7, false, 0x080)]
    [InlineData(0x8503_FFFFu, 0xFFFF, true, 0x281)]
    public void A_completion_is_taken_apart(uint dword3, int id, bool phase, int code)
    {
        var completion = new NvmeCompletion(1, 0x0002_0005, dword3);
        Assert.Equal((id, phase, code), (completion.Id, completion.Phase, completion.Status.Code));
        Assert.Equal((5, 2), (completion.SubmissionHead, completion.SubmissionQueue));
        Assert.Equal(dword3, NvmeCompletion.ComposeDword3(completion.Id, completion.Phase, completion.Status));
        Assert.Equal(code == 0, completion.Status.IsSuccess);
    }

    [Theory]
    [InlineData(0x0000_0000_0000_0000UL, 1, 500, 4, false, 4096L)]
    [InlineData(0x0030_0020_1801_07FFUL, 2048, 12_000, 4, true, 4096L)]
    [InlineData(0x0001_002F_FF00_FFFFUL, 65536, 127_500, 131072, true, 8192L)]
    public void Capabilities_are_taken_apart(ulong value, int entries, int milliseconds, int stride, bool hasNvm, long page)
    {
        var capabilities = new NvmeCapabilities(value);
        Assert.Equal(
            (entries, TimeSpan.FromMilliseconds(milliseconds), stride, hasNvm, page),
            (capabilities.MaxQueueEntries, capabilities.Timeout, capabilities.DoorbellStride, capabilities.HasNvmCommandSet, capabilities.MinPageSize));
    }

    [Theory]
    [InlineData(0, 4, 0x1000L, 0x1004L)]
    [InlineData(1, 4, 0x1008L, 0x100CL)]
    [InlineData(3, 64, 0x1180L, 0x11C0L)]
    [InlineData(65535, 131072, 0x1000L + 2 * 65535L * 131072, 0x1000L + (2 * 65535L + 1) * 131072)]
    public void Doorbells_lie_where_the_stride_puts_them(int queue, int stride, long tail, long head) =>
        Assert.Equal((tail, head), (NvmeRegister.SubmissionTail((ushort)queue, stride), NvmeRegister.CompletionHead((ushort)queue, stride)));

    [Theory]
    [InlineData(0, 4096L, 1 << 20)]
    [InlineData(1, 4096L, 8192)]
    [InlineData(7, 4096L, 512 << 10)]
    [InlineData(7, 65536L, 1 << 20)]
    [InlineData(255, 4096L, 1 << 20)]
    public void The_transfer_limit_is_a_power_of_two_of_pages(byte shift, long page, int expected)
    {
        byte[] bytes = Controller();
        bytes[77] = shift;
        Assert.True(IdentifyController.TryRead(bytes, out IdentifyController? controller, out _));
        Assert.Equal(expected, controller.MaxTransferLength(page, 1 << 20));
    }

    [Fact]
    public void Text_that_cannot_be_printed_is_replaced()
    {
        byte[] bytes = Controller();
        "ab\u001b[2J\0"u8.CopyTo(bytes.AsSpan(4));
        Assert.True(IdentifyController.TryRead(bytes, out IdentifyController? controller, out _));
        Assert.StartsWith("ab?[2J?", controller.SerialNumber, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(512, 0x55)]
    [InlineData(512, 0x77)]
    [InlineData(513, 0x33)]
    public void A_controller_without_entries_of_our_size_is_refused(int place, byte sizes)
    {
        byte[] bytes = Controller();
        bytes[place] = sizes;
        Assert.False(IdentifyController.TryRead(bytes, out _, out string reason));
        Assert.Contains("64 and 16 bytes", reason, StringComparison.Ordinal);
        Assert.False(IdentifyController.TryRead(bytes.AsSpan(0, 4095), out _, out _));
    }

    [Fact]
    public void Whatever_a_namespace_says_is_refused_or_makes_sense() =>
        Gen.Select(Gen.ULong, Gen.Byte, Gen.Byte, Gen.UInt).Sample(
            (blocks, formats, format, description) =>
            {
                byte[] bytes = new byte[IdentifyController.Length];
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, blocks);
                bytes[25] = formats;
                bytes[26] = format;
                for (int i = 128; i < 384; i += 4)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i), description);
                }

                return IdentifyNamespace.TryRead(bytes, out IdentifyNamespace space, out string reason)
                    ? space.BlockSize is >= 512 and <= 65536 && space.BlockCount > 0 && space.BlockCount <= long.MaxValue / space.BlockSize
                    : reason.Length > 0;
            },
            seed: Seeds.Fixed);

    [Fact]
    public void A_list_of_controllers_ends_with_its_structure()
    {
        byte[] bytes = new byte[IdentifyController.Length];
        Array.Fill(bytes, (byte)0xFF);
        Assert.Equal(127, SecondaryController.ReadList(bytes).Count);
        Assert.Equal(127, SecondaryController.ReadList([.. bytes, .. bytes]).Count);
        Assert.Empty(SecondaryController.ReadList([]));
        Assert.Empty(SecondaryController.ReadList(bytes.AsSpan(0, 40)));
        Assert.Equal(new SecondaryController(0xFFFF, 0xFFFF, true, 0xFFFF, 0xFFFF, 0xFFFF), SecondaryController.ReadList(bytes)[0]);
    }

    [Fact]
    public void A_list_has_what_its_count_says_as_far_as_its_bytes_go() =>
        Gen.Select(Gen.Byte, Gen.Int[0, 2 * IdentifyController.Length]).Sample(
            (count, length) =>
            {
                byte[] bytes = new byte[length];
                if (length > 0)
                {
                    bytes[0] = count;
                }

                int room = Math.Max(0, (Math.Min(length, IdentifyController.Length) - 32) / 32);
                return SecondaryController.ReadList(bytes).Count == Math.Min(length > 0 ? count : 0, room);
            },
            seed: Seeds.Fixed);

    private static byte[] Controller()
    {
        byte[] bytes = new byte[IdentifyController.Length];
        bytes[512] = 0x66;
        bytes[513] = 0x44;
        return bytes;
    }
}
