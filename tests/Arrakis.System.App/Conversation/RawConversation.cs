using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.Native.Sockets;

namespace Arrakis.SystemApp.Conversation;

/// <summary>The control socket without the library.</summary>
public static class RawConversation
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    /// <summary>Sends a request and waits for the reply; who calls owns what came with it.</summary>
    public static (ReceivedMessage Message, ControlReply Reply) Ask(UnixSocket socket, ControlRequest request)
    {
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        _ = socket.TrySend(MessageCodec.Encode(request));
        while (true)
        {
            if (socket.TryReceive(buffer) is { } message)
            {
                return (message, MessageCodec.DecodeReply(buffer.AsSpan(0, message.Length)));
            }

            Thread.Sleep(s_pause);
        }
    }
}
