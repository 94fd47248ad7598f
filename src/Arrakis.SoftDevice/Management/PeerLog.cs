using Microsoft.Extensions.Logging;

namespace Arrakis.SoftDevice.Management;

/// <summary>Log lines that a peer can provoke: so many a second, and then a count of those left out.</summary>
internal sealed class PeerLog(ILogger logger, TimeProvider time)
{
    private const int LinesPerSecond = 10;

    private long _second = -1;
    private int _lines;
    private long _leftOut;

    /// <summary>Writes a line, unless there were too many.</summary>
    public void Write(LogLevel level, string subject, string what)
    {
        long second = time.GetTimestamp() / time.TimestampFrequency;
        if (second != _second)
        {
            _second = second;
            _lines = 0;
        }

        if (_lines == LinesPerSecond)
        {
            _leftOut++;
            return;
        }

        _lines++;
        if (_leftOut != 0)
        {
            logger.LogWarning("{Count} lines like the following were left out", _leftOut);
            _leftOut = 0;
        }

        logger.Log(level, "{Subject}: {What}", subject, what);
    }
}
