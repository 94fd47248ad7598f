namespace Arrakis.Native.Threads;

/// <summary>The processor's time stamp counter.</summary>
public static class TimestampCounter
{
    /// <summary>Cycles at the counter's constant rate. No system call.</summary>
    public static ulong Read() => LibcExtra.TimestampCounter();
}
