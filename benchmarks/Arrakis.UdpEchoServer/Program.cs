using System.Text.Json;
using Arrakis.UdpEchoServer;

// Its argument is an order as JSON; what it answers is a line of JSON each. It ends with whoever started it.
if (args is not [string json] || JsonSerializer.Deserialize(json, EchoJson.Default.EchoOrder) is not { } order)
{
    await Console.Error.WriteLineAsync("The one argument is an order as JSON; the benchmarks give it.");
    return 2;
}

using var parentGone = new CancellationTokenSource();
Conversation.OnParentGone(parentGone.Cancel);
await EchoService.RunAsync(order, parentGone.Token);
return 0;
