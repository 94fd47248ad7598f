using System.Text.Json.Serialization.Metadata;
using Arrakis.Plots.Drawing;
using ScottPlot;

namespace Arrakis.Plots.Pictures;

/// <summary>All pictures of the pages, and what they are drawn from.</summary>
internal static class PictureBook
{
    private static readonly Source[] s_sources =
    [
        Source.Of("bench-udp.json", "make bench-udp", RowsJson.Default.IReadOnlyListUdpRow,
            ("udp-one-in-flight.svg", UdpPictures.OneInFlight),
            ("udp-half-load.svg", UdpPictures.HalfLoad)),
        Source.Of("bench-nic.json", "make bench-nic", RowsJson.Default.IReadOnlyListNicRow,
            ("nic-rate.svg", NicPictures.Rates),
            ("nic-cycles.svg", NicPictures.Cycles)),
        Source.Of("bench-nic-sweep.json", "scripts/bench-nic", RowsJson.Default.IReadOnlyListSweepRow,
            ("nic-batch-split.svg", static rows => SweepPictures.Batches(rows, "split")),
            ("nic-batch-packed.svg", static rows => SweepPictures.Batches(rows, "packed")),
            ("nic-frame-split.svg", static rows => SweepPictures.Frames(rows, "split")),
            ("nic-frame-packed.svg", static rows => SweepPictures.Frames(rows, "packed"))),
    ];

    /// <summary>Draws what the artifacts have figures for. A file that is not there is left out, with a word about it; so is a picture without rows.</summary>
    /// <param name="artifacts">Where the benchmarks write.</param>
    /// <param name="pictures">Where the pictures go.</param>
    /// <param name="report">Takes a line for each picture, and for what is left out.</param>
    /// <exception cref="InvalidDataException">A file is something else, or none is there.</exception>
    public static void Draw(DirectoryInfo artifacts, DirectoryInfo pictures, Action<string> report)
    {
        bool isEmpty = true;
        foreach (Source source in s_sources)
        {
            var file = new FileInfo(Path.Combine(artifacts.FullName, source.File));
            if (!file.Exists)
            {
                report($"left out: {file} is not there; {source.WrittenBy} writes it");
                continue;
            }

            isEmpty = false;
            foreach ((string name, Func<Plot> draw) in source.Open(file))
            {
                report(Draw(Path.Combine(pictures.FullName, name), draw));
            }
        }

        if (isEmpty)
        {
            throw new InvalidDataException($"{artifacts} has nothing to draw: {string.Join(", ", s_sources.Select(static source => $"{source.File} ({source.WrittenBy})"))}.");
        }
    }

    private static string Draw(string path, Func<Plot> draw)
    {
        string svg;
        try
        {
            svg = draw().ToSvg();
        }
        catch (InvalidDataException e)
        {
            return $"left out: {path}: {e.Message}";
        }

        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, svg.TrimEnd() + "\n");
        return path;
    }

    private sealed record Source(string File, string WrittenBy, Func<FileInfo, IEnumerable<(string Name, Func<Plot> Draw)>> Open)
    {
        public static Source Of<TRow>(string file, string writtenBy, JsonTypeInfo<IReadOnlyList<TRow>> type, params (string Name, Func<IReadOnlyList<TRow>, Plot> Draw)[] pictures)
            where TRow : class =>
            new(file, writtenBy, path =>
            {
                IReadOnlyList<TRow> rows = JsonFile.Read(path, type, writtenBy);
                return rows.Contains(null!)
                    ? throw new InvalidDataException($"{path} has a row that is null; {writtenBy} writes none.")
                    : pictures.Select(picture => (picture.Name, new Func<Plot>(() => picture.Draw(rows))));
            });
    }
}
