using Arrakis.Contract;
using Arrakis.Fuzz.Targets.BlockDevice;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// The software device's block functions against a hostile driver, with a neighbour on the same file whose chains are requests, for
/// whatever sectors and ranges. Memory, ring contents, requests, changes of areas and their order come from the input.
/// </summary>
internal sealed class BlockDeviceTarget : FuzzTarget, IDisposable
{
    private const int MaxSteps = 64;
    private const byte Disk = 0x80; // of the first byte; the others choose features of the hostile driver
    private const byte Packed = 0x08;
    private const byte NeighbourPacked = 0x10; // and those of the neighbour
    private const byte NoFlush = 0x20;

    // What each bit of the first byte of an input stands for.
    private static readonly VirtioFeatures[] _choices =
    [
        VirtioFeatures.RingIndirectDescriptors,
        VirtioFeatures.RingEventIndex,
        VirtioBlockFeatures.Flush,
        VirtioFeatures.RingPacked,
    ];

    private readonly HostileDriver _hostile = new();
    private readonly NeighbourDriver _neighbour = new();
    private BlockMachine? _mapped;
    private BlockMachine? _disk;

    public override string Name => "block-device";

    public override IReadOnlyList<byte[]> Corpus { get; } = BlockDeviceCorpus.Make();

    public void Dispose()
    {
        _mapped?.Dispose();
        _disk?.Dispose();
        _hostile.Dispose();
        _neighbour.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        var reader = new InputReader(ForeignBytes.Without(input));
        byte choice = reader.Byte();
        VirtioFeatures features = VirtioFeatures.Version1;
        for (int bit = 0; bit < _choices.Length; bit++)
        {
            features |= (choice >> bit & 1) != 0 ? _choices[bit] : VirtioFeatures.None;
        }

        BlockMachine machine = (choice & Disk) != 0 ? _disk ??= new BlockMachine(isDisk: true) : _mapped ??= new BlockMachine(isDisk: false);
        machine.Reset();
        ushort next = reader.Short();
        _hostile.Start(machine, FormatOf((choice & Packed) != 0), features, reader.Bytes(HostileDriver.ImageLength), next);
        bool isPacked = (choice & NeighbourPacked) != 0;
        _neighbour.Start(
            machine,
            FormatOf(isPacked),
            VirtioFeatures.Version1 | VirtioFeatures.RingIndirectDescriptors
                | (isPacked ? VirtioFeatures.RingPacked : 0) | ((choice & NoFlush) != 0 ? 0 : VirtioBlockFeatures.Flush));
        try
        {
            for (int step = 0; step < MaxSteps && !reader.IsEmpty; step++)
            {
                Step(machine, ref reader);
            }

            machine.Settle();
            Check(machine);
        }
        finally
        {
            _hostile.Stop();
            _neighbour.Stop();
        }
    }

    private static RingFormat FormatOf(bool isPacked) => isPacked ? RingFormat.Packed : RingFormat.Split;

    private void Step(BlockMachine machine, ref InputReader reader)
    {
        switch (reader.Byte() % 8)
        {
            case 0 or 1 or 2:
                _hostile.Step(ref reader);
                break;
            case 3:
                _ = machine.Poll();
                Check(machine);
                break;
            case 4:
                machine.Settle();
                Check(machine);
                break;
            case 5 or 6:
                _neighbour.Request(ref reader);
                Check(machine);
                break;
            default:
                int change = reader.Byte();
                machine.Show(change & 1, (change >> 1 & 3) switch { 0 => null, 1 => AreaAccess.Read, _ => AreaAccess.ReadWrite });
                Check(machine);
                break;
        }
    }

    private void Check(BlockMachine machine)
    {
        _hostile.Check();
        Promise(_neighbour.IsIntact, "nothing around the neighbour's memory is written");
        machine.CheckContent();
    }
}
