using Tmds.Linux;

namespace Arrakis.Native.Processes;

/// <summary>A process that cannot be mistaken for a later one of the same number (pidfd_open(2)). It becomes readable when the process has ended.</summary>
public sealed unsafe class ProcessDescriptor : IDisposable
{
    /// <summary>Wraps a pidfd that came from elsewhere.</summary>
    public ProcessDescriptor(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
    }

    /// <summary>The open file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited
    {
        get
        {
            pollfd request = new() { fd = Descriptor.Number, events = (short)LibC.POLLIN };
            return LibC.poll(&request, 1, 0) > 0;
        }
    }

    /// <summary>Opens a process by its number.</summary>
    /// <exception cref="LinuxException">There is no such process (ESRCH).</exception>
    public static ProcessDescriptor Open(int processId)
    {
        nint number = LibcExtra.Syscall((nint)LibcExtra.SysPidfdOpen, processId, 0, 0, 0, 0);
        LinuxException.ThrowIfNegative(number, $"pidfd_open({processId})");
        return new ProcessDescriptor(new Descriptor((int)number));
    }

    /// <summary>Sends a signal; false when the process has ended already.</summary>
    public bool Signal(int signal)
    {
        nint result = LibcExtra.Syscall((nint)LibcExtra.SysPidfdSendSignal, Descriptor.Number, signal, 0, 0, 0);
        if (result < 0 && LibC.errno == LibC.ESRCH)
        {
            return false;
        }

        LinuxException.ThrowIfNegative(result, $"pidfd_send_signal({signal})");
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();
}
