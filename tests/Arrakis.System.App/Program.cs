using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemApp.Roles;

// An application for the tests of whole systems. The first argument names its role, the second is the role's order; it ends at
// the end of its standard input.
try
{
    switch (args[0])
    {
        case nameof(FilteredEcho):
            await FilteredEcho.PlayAsync(Order(ConversationJson.Default.FilteredEchoOrder));
            break;
        case nameof(FilteredStorage):
            await FilteredStorage.PlayAsync(Order(ConversationJson.Default.FilteredStorageOrder));
            break;
        case nameof(Echo):
            await Echo.PlayAsync(Order(ConversationJson.Default.EchoOrder));
            break;
        case nameof(QueueEcho):
            await QueueEcho.PlayAsync(Order(ConversationJson.Default.QueueEchoOrder));
            break;
        case nameof(Flood):
            await Flood.PlayAsync(Order(ConversationJson.Default.FloodOrder));
            break;
        case nameof(Hostile):
            Hostile.Play(Order(ConversationJson.Default.HostileOrder));
            break;
        case nameof(Spoof):
            await Spoof.PlayAsync(Order(ConversationJson.Default.SpoofOrder));
            break;
        case nameof(Churn):
            await Churn.PlayAsync(Order(ConversationJson.Default.ChurnOrder));
            break;
        case nameof(KernelClient):
            KernelClient.Play(Order(ConversationJson.Default.KernelClientOrder));
            break;
        case nameof(KernelEcho):
            KernelEcho.Play(Order(ConversationJson.Default.KernelEchoOrder));
            break;
        case nameof(ArpAsker):
            ArpAsker.Play(Order(ConversationJson.Default.ArpOrder));
            break;
        case nameof(TcpStream):
            TcpStream.Play(Order(ConversationJson.Default.TcpStreamOrder));
            break;
        case nameof(KernelTransfer):
            KernelTransfer.Play(Order(ConversationJson.Default.KernelTransferOrder));
            break;
        case nameof(RingTransfer):
            await RingTransfer.PlayAsync(Order(ConversationJson.Default.RingTransferOrder));
            break;
        default:
            throw new ArgumentException($"There is no role '{args[0]}'.");
    }
}
catch (Exception e)
{
    Talk.Say(new FailureReport(e.ToString()));
    Environment.Exit(1);
}

// Some roles leave threads that never return.
Environment.Exit(0);

T Order<T>(JsonTypeInfo<T> type) => JsonSerializer.Deserialize(args[1], type)!;
