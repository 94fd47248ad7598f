using Arrakis.Measuring.Machine;

namespace Arrakis.NicThroughput.FrontEnds;

/// <summary>What the front end does.</summary>
internal enum Mode
{
    /// <summary>Takes frames and drops them.</summary>
    Receive,

    /// <summary>Sends frames.</summary>
    Transmit,

    /// <summary>Swaps the hardware addresses of frames and sends them back.</summary>
    Forward,
}

/// <summary>What a run gave.</summary>
/// <param name="Mpps">Million frames a second.</param>
/// <param name="Cycles">Time stamp counter cycles a frame, of polls that moved frames.</param>
/// <param name="State">The machine's meanwhile.</param>
internal readonly record struct Measurement(double Mpps, double Cycles, MachineState State = default);
