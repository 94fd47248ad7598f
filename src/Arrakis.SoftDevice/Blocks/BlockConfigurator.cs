using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>Checks what the daemon asks of the block functions and has it done. Control thread only.</summary>
internal sealed class BlockConfigurator(IReadOnlyList<BlockFunction> functions, BlockMedium? medium)
{
    /// <summary>Makes a block function show an area.</summary>
    /// <exception cref="ArrakisException">There is no such function, or an extent is not inside the file.</exception>
    public void Configure(ConfigureBlockPortRequest request)
    {
        BlockFunction function = Function(request.Port);
        function.Show(new BlockArea(request.Extents, medium!.BlockSize, medium.Length, request.ReadOnly), request.KeepCounters);
    }

    /// <summary>Takes a block function's area.</summary>
    /// <exception cref="ArrakisException">There is no such function.</exception>
    public void Clear(ClearBlockPortRequest request) => Function(request.Port).Show(null, keepCounters: true);

    /// <summary>The counters of all functions.</summary>
    public BlockCounters[] ReadCounters() => [.. functions.Select(static function => function.ReadCounters())];

    private BlockFunction Function(int index) =>
        index >= 0 && index < functions.Count
            ? functions[index]
            : throw new ArrakisException(
                ErrorCode.InvalidRequest,
                $"There is no block function {index}.",
                functions.Count == 0 ? "Start the device with --block-file and --block-functions." : $"This device has 0 to {functions.Count - 1}.");
}
