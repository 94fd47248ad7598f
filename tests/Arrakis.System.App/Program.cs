using System.Text.Json;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemApp.Roles;

// An application for the tests of whole systems. The first argument names its role, the second is the role's order; it ends at
// the end of its standard input.
try
{
    switch (args[0])
    {
        case nameof(FilteredEcho):
            await FilteredEcho.PlayAsync(Order<FilteredEchoOrder>());
            break;
        case nameof(FilteredStorage):
            await FilteredStorage.PlayAsync(Order<FilteredStorageOrder>());
            break;
        case nameof(Echo):
            await Echo.PlayAsync(Order<EchoOrder>());
            break;
        case nameof(QueueEcho):
            await QueueEcho.PlayAsync(Order<QueueEchoOrder>());
            break;
        case nameof(Flood):
            await Flood.PlayAsync(Order<FloodOrder>());
            break;
        case nameof(Hostile):
            Hostile.Play(Order<HostileOrder>());
            break;
        case nameof(Spoof):
            await Spoof.PlayAsync(Order<SpoofOrder>());
            break;
        case nameof(Churn):
            await Churn.PlayAsync(Order<ChurnOrder>());
            break;
        case nameof(KernelClient):
            KernelClient.Play(Order<KernelClientOrder>());
            break;
        case nameof(KernelEcho):
            KernelEcho.Play(Order<KernelEchoOrder>());
            break;
        case nameof(ArpAsker):
            ArpAsker.Play(Order<ArpOrder>());
            break;
        case nameof(TcpStream):
            TcpStream.Play(Order<TcpStreamOrder>());
            break;
        case nameof(KernelTransfer):
            KernelTransfer.Play(Order<KernelTransferOrder>());
            break;
        case nameof(RingTransfer):
            await RingTransfer.PlayAsync(Order<RingTransferOrder>());
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

T Order<T>() => JsonSerializer.Deserialize<T>(args[1])!;
