using Arrakis.Native.Events;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Ports.Uplink;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Switch;

namespace Arrakis.SoftDevice.Polling;

/// <summary>All ports and the switch between them, and one round of polling. Neither threads nor sockets.</summary>
internal sealed class DeviceCore : IDisposable
{
    private readonly EventRaiser _raiser = new();

    /// <param name="functions">Number of virtual functions.</param>
    /// <param name="clock">Time of rates and tests.</param>
    public DeviceCore(int functions, Clock clock)
    {
        Clock = clock;
        Functions = [.. Enumerable.Range(0, functions).Select(index => new VfPort(index, _raiser, Attention))];
        Tester = new TesterPort(clock, Attention);
        Switch = new EthernetSwitch(Functions, Uplink, Tester);
    }

    /// <summary>Time of rates and tests.</summary>
    public Clock Clock { get; }

    /// <summary>Raised by the polling thread when a port broke or a test ended.</summary>
    public EventFd Attention { get; } = new();

    /// <summary>The ports of the virtual functions.</summary>
    public VfPort[] Functions { get; }

    /// <summary>The port to the kernel.</summary>
    public UplinkPort Uplink { get; } = new();

    /// <summary>The traffic generator.</summary>
    public TesterPort Tester { get; }

    /// <summary>What connects them.</summary>
    public EthernetSwitch Switch { get; }

    /// <summary>Gives each port its turn. Whether any had something to do.</summary>
    public bool PollOnce()
    {
        bool busy = false;
        foreach (VfPort port in Switch.Granted)
        {
            busy |= port.Poll(Switch, Clock);
        }

        if (Uplink.IsReady)
        {
            busy |= Uplink.Poll(Switch);
        }

        if (Tester.IsRunning)
        {
            busy |= Tester.Poll(Switch);
        }

        Switch.Flush();
        return busy;
    }

    /// <summary>Whether something will be due without a doorbell: a test, or a frame that waits for tokens.</summary>
    public bool MustNotSleep()
    {
        if (Tester.IsRunning)
        {
            return true;
        }

        foreach (VfPort port in Switch.Granted)
        {
            if (port.WaitsForTokens)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Asks all drivers to ring, or not to; whether one has made something available already.</summary>
    public bool RequestDoorbells(bool wanted)
    {
        bool available = false;
        foreach (VfPort port in Switch.Granted)
        {
            available |= port.RequestDoorbell(wanted);
        }

        return available;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _raiser.Dispose();
        Attention.Dispose();
    }
}
