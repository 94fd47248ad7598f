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
            await EchoServer.ServeAsync(nic.Queues[0], order.Api, order.Port);
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
}
