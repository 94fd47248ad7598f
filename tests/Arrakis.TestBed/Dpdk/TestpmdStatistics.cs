using System.Globalization;
using System.Text.RegularExpressions;

namespace Arrakis.TestBed.Dpdk;

/// <summary>What testpmd answers to <c>show port stats</c>.</summary>
/// <param name="Received">Frames received so far.</param>
/// <param name="Sent">Frames sent so far.</param>
/// <param name="ReceivedPerSecond">Frames received in a second, since the last look.</param>
/// <param name="SentPerSecond">Frames sent in a second, since the last look.</param>
public sealed partial record TestpmdStatistics(long Received, long Sent, long ReceivedPerSecond, long SentPerSecond)
{
    /// <summary>Reads an answer about one port.</summary>
    /// <exception cref="InvalidDataException">It lacks a figure; the message has the text.</exception>
    public static TestpmdStatistics Parse(string answer) => new(
        Integer(ReceivedFrames(), answer),
        Integer(SentFrames(), answer),
        Integer(ReceivedRate(), answer),
        Integer(SentRate(), answer));

    /// <summary>Busy cycles for each frame, in the answer to <c>stop</c> of a program with <c>--record-core-cycles</c>.</summary>
    /// <exception cref="InvalidDataException">The answer has no such figure; the message has the text.</exception>
    public static double ParseCycles(string answer) => double.Parse(Find(Cycles(), answer), CultureInfo.InvariantCulture);

    private static long Integer(Regex pattern, string text) =>
        long.TryParse(Find(pattern, text), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new InvalidDataException($"dpdk-testpmd's answer has no usable {pattern}:\n{text}");

    private static string Find(Regex pattern, string text) =>
        pattern.Match(text) is { Success: true } match ? match.Groups[1].Value : throw new InvalidDataException($"dpdk-testpmd's answer has no {pattern}:\n{text}");

    [GeneratedRegex(@"RX-packets:\s*(\d+)")]
    private static partial Regex ReceivedFrames();

    [GeneratedRegex(@"TX-packets:\s*(\d+)")]
    private static partial Regex SentFrames();

    [GeneratedRegex(@"Rx-pps:\s*(\d+)")]
    private static partial Regex ReceivedRate();

    [GeneratedRegex(@"Tx-pps:\s*(\d+)")]
    private static partial Regex SentRate();

    [GeneratedRegex(@"CPU cycles/packet=\s*(\d+(?:\.\d+)?)")]
    private static partial Regex Cycles();
}
