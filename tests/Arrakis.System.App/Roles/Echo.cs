using Arrakis.Contract;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Echoes UDP on one or more bindings, each polled by a thread of its own that sleeps when nothing comes. The command
/// "state" reports all bindings; "release" gives them back.
/// </summary>
internal static class Echo
{
    public static async Task PlayAsync(EchoOrder order)
    {
        ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        List<NicBinding> bindings = [];
        for (int i = 0; i < order.Bindings; i++)
        {
            NicBinding nic = await client.BindNicAsync(new NicRequest
            {
                OnRevocationRequested = order.WhenAskedBack == WhenAskedBack.Nothing ? null : (request, asked) => OnAskedBackAsync(request, asked, order.WhenAskedBack),
            });
            bindings.Add(nic);
            await ServeAsync(nic, order);
            Talk.Say(Bound(nic));
        }

        while (Talk.NextCommand() is { } command)
        {
            foreach (NicBinding nic in bindings)
            {
                if (command == "state")
                {
                    Talk.Say(new StateReport(
                        nic.Grant.BindingId, nic.LinkUp, nic.LinkEpoch, nic.Counters.FramesReceived, nic.Counters.DatagramsDelivered, nic.Counters[DropReason.EthernetDestinationForeign]));
                }
                else
                {
                    await nic.DisposeAsync();
                    Talk.Say(new GivenBackReport(nic.Grant.BindingId));
                }
            }
        }
    }

    /// <summary>A binding as it is reported.</summary>
    public static BoundReport Bound(NicBinding nic) => new(
        nic.Grant.BindingId, nic.Grant.Generation, nic.Grant.VirtualFunction, nic.Mac.ToString(), nic.Address.Address.ToString(), nic.Grant.Memory.Length, nic.Grant.Memory.PageSize);

    private static async ValueTask OnAskedBackAsync(RevocationRequest request, NicBinding nic, WhenAskedBack answer)
    {
        Talk.Say(new AskedReport(nic.Grant.BindingId, request.Kind, request.Units, request.Remaining.TotalMilliseconds));
        if (answer == WhenAskedBack.GiveBack)
        {
            await nic.DisposeAsync();
            Talk.Say(new GivenBackReport(nic.Grant.BindingId));
        }
    }

    /// <summary>Completes when datagrams are answered.</summary>
    private static Task ServeAsync(NicBinding nic, EchoOrder order)
    {
        if (order.Api == ServerApi.Native)
        {
            _ = Talk.Start($"echo {nic.Grant.BindingId}", () => ServePackets(nic, order.Port));
            return Task.CompletedTask;
        }

        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Reactor.Start(nic).RunAsync(() => ServeSocketAsync(nic, order.Port, ready));
        return ready.Task;
    }

    private static void ServePackets(NicBinding nic, ushort port)
    {
        try
        {
            nic.Poll(new PollOptions(), (received, transmit) =>
            {
                foreach (Packet packet in received)
                {
                    if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
                    {
                        _ = transmit.Post(datagram.Reply());
                    }
                }
            });
        }
        catch (BindingRevokedException e)
        {
            Talk.Say(new RevokedReport(e.BindingId, e.Generation, e.State, e.Repossessed));
        }
        catch (ObjectDisposedException)
        {
            // It was given back.
        }
    }

    private static async Task ServeSocketAsync(NicBinding nic, ushort port, TaskCompletionSource ready)
    {
        try
        {
            using var socket = new UdpSocket(port);
            ready.SetResult();
            byte[] buffer = new byte[2048];
            while (true)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                _ = await socket.SendToAsync(buffer.AsMemory(0, length), from);
            }
        }
        catch (BindingRevokedException e)
        {
            Talk.Say(new RevokedReport(e.BindingId, e.Generation, e.State, e.Repossessed));
        }
        catch (System.Net.Sockets.SocketException) when (nic.State == BindingState.Released)
        {
            // It was given back.
        }
        catch (Exception e)
        {
            Talk.Say(new FailureReport(e.ToString()));
        }
    }
}
