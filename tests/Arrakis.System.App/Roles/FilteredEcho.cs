using Arrakis.Contract;
using Arrakis.Native.Threads;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Echoes UDP on a thread that, once told to, may make no system call any more: any kills the process. The command
/// "rehearse" goes through all of it once without the filter, so that the code and its call stubs are there; "filter"
/// enters the filter; "finish" ends the count and parks the thread, which can never return from the filter; "revoked"
/// waits for the revocation from another thread.
/// </summary>
/// <remarks>Each command takes effect at the next datagram, on the polling thread.</remarks>
internal static class FilteredEcho
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(2);

    private enum Step
    {
        None,
        Begin,
        BeginFiltered,
        End,
        EndAndPark,
    }

    private static volatile Step s_step;
    private static bool s_began;
    private static bool s_ended;
    private static int s_thread;
    private static long s_datagrams;
    private static long s_counted;
    private static long s_allocatedBefore;
    private static long s_allocatedAfter;

    public static async Task PlayAsync(FilteredEchoOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest());
        if (order.Api == ServerApi.Native)
        {
            _ = Talk.Start("echo", () => nic.Poll(new PollOptions { Core = order.Core, Idle = IdlePolicy.Spin }, (received, transmit) => Answer(received, transmit, order.Port)));
            Talk.Say(Echo.Bound(nic));
        }
        else
        {
            _ = Reactor.Start(nic, order.Core, IdlePolicy.Spin).RunAsync(() => AnswerAsync(nic, order.Port));
        }

        while (Talk.NextCommand() is { } command)
        {
            Obey(command, nic);
        }

        Environment.Exit(0); // The polling thread cannot be waited for.
    }

    private static void Obey(string command, NicBinding nic)
    {
        switch (command)
        {
            case "rehearse":
                Wait(Step.Begin, ref s_began);
                Wait(Step.End, ref s_ended);
                Report();
                break;
            case "filter":
                Wait(Step.BeginFiltered, ref s_began);
                Talk.Say(new FilteredReport(s_thread));
                break;
            case "finish":
                Wait(Step.EndAndPark, ref s_ended);
                Report();
                break;
            case "revoked":
                AwaitRevocation(nic);
                break;
            default:
                throw new ArgumentException(command);
        }
    }

    private static void Wait(Step step, ref bool done)
    {
        Volatile.Write(ref done, false);
        s_step = step;
        while (!Volatile.Read(ref done))
        {
            Thread.Sleep(s_pause);
        }
    }

    private static void Report() => Talk.Say(new ProofReport(s_counted, s_allocatedBefore, s_allocatedAfter));

    // The polling thread cannot throw: that would need system calls.
    private static void AwaitRevocation(NicBinding nic)
    {
        try
        {
            while (true)
            {
                nic.ThrowIfRevoked();
                Thread.Sleep(s_pause);
            }
        }
        catch (BindingRevokedException e)
        {
            Talk.Say(new RevokedReport(e.BindingId, e.Generation, e.State, e.Repossessed));
        }
    }

    private static void Answer(PacketBatch received, TransmitQueue transmit, ushort port)
    {
        TakeStep();
        foreach (Packet packet in received)
        {
            if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
            {
                _ = transmit.Post(datagram.Reply());
                s_datagrams++;
            }
        }
    }

    private static async Task AnswerAsync(NicBinding nic, ushort port)
    {
        using var socket = new UdpSocket(port);
        Talk.Say(Echo.Bound(nic)); // Not before: without a socket there is no answer.
        byte[] buffer = new byte[2048];
        while (true)
        {
            (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
            TakeStep();
            _ = await socket.SendToAsync(buffer.AsMemory(0, length), from);
            s_datagrams++;
        }
    }

    private static void TakeStep()
    {
        Step step = s_step;
        if (step == Step.None)
        {
            return;
        }

        s_step = Step.None;
        if (step is Step.Begin or Step.BeginFiltered)
        {
            s_thread = PinnedThread.CurrentId;
            if (step == Step.BeginFiltered)
            {
                SeccompFilter.KillOnSystemCall();
            }

            s_datagrams = 0;
            s_allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            Volatile.Write(ref s_began, true);
            return;
        }

        s_allocatedAfter = GC.GetAllocatedBytesForCurrentThread();
        s_counted = s_datagrams;
        Volatile.Write(ref s_ended, true);
        while (step == Step.EndAndPark)
        {
            // The answer to this datagram is never sent: the count is over.
        }
    }
}
