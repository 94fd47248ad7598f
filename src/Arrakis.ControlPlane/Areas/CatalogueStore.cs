using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>
/// A catalogue's state on disk, in two copies. A change writes the first copy, flushes, writes the second, flushes, and is done: at each
/// moment one copy is whole and has all that was acknowledged, whatever a power cut leaves of the other. A copy that is broken without a
/// power cut is mended from the other one, and said.
/// </summary>
internal sealed class CatalogueStore : IDisposable
{
    private readonly ICatalogueFile _file;
    private ulong _sequence;
    private Exception? _failure;

    private CatalogueStore(ICatalogueFile file, string path, CatalogueState state, ulong sequence, IReadOnlyList<string> mended)
    {
        _file = file;
        _sequence = sequence;
        Path = path;
        Stored = state;
        Mended = mended;
    }

    /// <summary>The file's path, for messages.</summary>
    internal string Path { get; }

    /// <summary>The state that is durable.</summary>
    internal CatalogueState Stored { get; private set; }

    /// <summary>What was wrong with a copy when the file was opened; empty where nothing was, or no more than a power cut explains.</summary>
    internal IReadOnlyList<string> Mended { get; }

    /// <summary>Opens the file and reads it; null where there is none.</summary>
    /// <exception cref="ArrakisException">It is broken, or cannot be read.</exception>
    internal static CatalogueStore? Open(ICataloguePlace place)
    {
        ICatalogueFile? file = null;
        try
        {
            file = place.Open();
            return file is null ? null : Recover(file, place.Path);
        }
        catch (IOException e)
        {
            file?.Dispose();
            throw CannotBeUsed(place.Path, e);
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    /// <summary>Makes the file with a first state. What is at the path already stays.</summary>
    /// <exception cref="ArrakisException">There is a file, or it cannot be made.</exception>
    internal static CatalogueStore Create(ICataloguePlace place, CatalogueState state)
    {
        ICatalogueFile? file = null;
        try
        {
            file = place.CreateHidden();
            WriteCopies(file, state, sequence: 1);
            place.Publish();
            return new CatalogueStore(file, place.Path, state, sequence: 1, mended: []);
        }
        catch (IOException e)
        {
            file?.Dispose();
            throw CannotBeUsed(place.Path, e);
        }
    }

    /// <summary>Makes a new state durable.</summary>
    /// <exception cref="ArrakisException">It may or may not be: no other one is taken before the file was opened again.</exception>
    internal void Store(CatalogueState state)
    {
        if (_failure is not null)
        {
            throw CannotBeUsed(Path, _failure);
        }

        try
        {
            WriteCopies(_file, state, _sequence + 1);
        }
        catch (IOException e)
        {
            // What a failed write or flush left on disk is unknown, and a repeated flush may report success for pages that were dropped.
            _failure = e;
            throw CannotBeUsed(Path, e);
        }

        _sequence++;
        Stored = state;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static void WriteCopies(ICatalogueFile file, CatalogueState state, ulong sequence)
    {
        for (int copy = 0; copy < CatalogueFormat.Copies; copy++)
        {
            WriteCopy(file, state, sequence, copy);
        }
    }

    private static void WriteCopy(ICatalogueFile file, CatalogueState state, ulong sequence, int copy)
    {
        file.Write(CatalogueFormat.Encode(state, sequence, copy), Offset(copy));
        file.Flush();
    }

    private static long Offset(int copy) => (long)copy * CatalogueFormat.CopyLength;

    private static CatalogueStore Recover(ICatalogueFile file, string path)
    {
        // A process that was killed may have left writes that are seen and not durable; were they left so, a power cut during the next
        // write could take both copies.
        file.Flush();
        Copy first = Copy.Read(file, 0);
        Copy second = Copy.Read(file, 1);
        Copy newest = first.Sequence >= second.Sequence ? first : second;
        if (newest.State is null)
        {
            throw Broken(path, $"{first.Place}: {first.Fault}; {second.Place}: {second.Fault}");
        }

        if (first.State is not null && second.State is not null)
        {
            if (first.State.Id != second.State.Id)
            {
                throw Broken(path, $"its copies belong to different catalogues, {first.State.Id} and {second.State.Id}");
            }

            if (first.Sequence == second.Sequence && !CatalogueFormat.Encode(first.State, 1, 0).AsSpan().SequenceEqual(CatalogueFormat.Encode(second.State, 1, 0)))
            {
                throw Broken(path, $"its copies both have the number {first.Sequence} and say different things");
            }
        }

        List<string> mended = [];
        foreach (Copy copy in (Copy[])[first, second])
        {
            if (copy.Sequence != newest.Sequence)
            {
                WriteCopy(file, newest.State, newest.Sequence, copy.Number);
                if (!IsExplainedByPowerCut(copy, newest))
                {
                    mended.Add($"{copy.Place}: {copy.Fault ?? $"it has the number {copy.Sequence}, not {newest.Sequence}: a write was lost"}");
                }
            }
        }

        return new CatalogueStore(file, path, newest.State, newest.Sequence, mended);
    }

    // The first copy is written before the second: it is never older unless a write was lost. A copy that no checksum fits may be torn or
    // damaged; who looks at it later cannot tell, so it is said.
    private static bool IsExplainedByPowerCut(Copy copy, Copy newest) =>
        copy.State is not null && copy.Number == 1 && copy.Sequence + 1 == newest.Sequence;

    private static ArrakisException Broken(string path, string what) =>
        new(
            ErrorCode.DataCorrupt,
            $"The catalogue {path} is broken: {what}.",
            "Put a copy of the file back that fits the device; without it the areas' data are on the device, but nobody knows where.");

    private static ArrakisException CannotBeUsed(string path, Exception e) =>
        new(
            ErrorCode.DeviceUnavailable,
            $"The catalogue {path} cannot be used: {e.Message.TrimEnd('.')}.",
            "See to its disk and that no other daemon has it, then start the daemon again: it reads what is stored.",
            e);

    private sealed record Copy(int Number, CatalogueState? State, ulong Sequence, string? Fault)
    {
        public string Place => $"copy {Number} at byte {Offset(Number)}";

        public static Copy Read(ICatalogueFile file, int number)
        {
            try
            {
                byte[] bytes = new byte[CatalogueFormat.HeaderLength];
                int read = file.Read(bytes, Offset(number));
                if (CatalogueFormat.Length(bytes.AsSpan(0, read)) is > 0 and int length)
                {
                    bytes = new byte[length];
                    read = file.Read(bytes, Offset(number));
                }

                CatalogueState? state = CatalogueFormat.Decode(bytes.AsSpan(0, read), number, out ulong sequence, out string? fault);
                return new Copy(number, state, state is null ? 0 : sequence, fault);
            }
            catch (IOException e)
            {
                return new Copy(number, null, 0, e.Message);
            }
        }
    }
}
