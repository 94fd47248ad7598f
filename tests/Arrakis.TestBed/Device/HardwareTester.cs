using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;

namespace Arrakis.TestBed.Device;

/// <summary>The tester port and the counters of a software device, asked for without the daemon: what runs here goes on when the daemon is killed.</summary>
public static class HardwareTester
{
    /// <summary>Lets the tester port run a plan.</summary>
    /// <param name="managementSocket">The device's management socket.</param>
    /// <param name="plan">What to send.</param>
    /// <param name="cancellation">Ends the test.</param>
    /// <exception cref="ArrakisException">The device refused.</exception>
    /// <exception cref="IOException">The device has hung up.</exception>
    public static async Task<TestResult> RunAsync(string managementSocket, TestPlan plan, CancellationToken cancellation) =>
        (await AskAsync<DeviceTestReply>(managementSocket, new DeviceTestRequest { Id = 1, Plan = plan }, cancellation)).Result;

    /// <summary>Reads all counters, by port.</summary>
    public static async Task<IReadOnlyDictionary<string, PortCounters>> ReadCountersAsync(string managementSocket, CancellationToken cancellation) =>
        (await AskAsync<DeviceCountersReply>(managementSocket, new ReadCountersRequest { Id = 1 }, cancellation)).Ports;

    /// <summary>Asks the device for something. Each request has a connection of its own: none is answered before an earlier one of its connection.</summary>
    public static async Task<T> AskAsync<T>(string managementSocket, DeviceRequest request, CancellationToken cancellation)
        where T : DeviceReply
    {
        using var loop = new ReadinessLoop();
        using UnixSocket socket = UnixSocket.Connect(managementSocket, UnixSocketKind.SequencedPacket);
        _ = socket.TrySend(MessageCodec.Encode(request));
        byte[] buffer = new byte[ControlProtocol.MaxMessageLength];
        while (true)
        {
            await loop.WaitAsync(socket.Descriptor, Readiness.Read, cancellation);
            if (socket.TryReceive(buffer) is not { } message)
            {
                continue;
            }

            message.CloseDescriptors();
            if (message.Length == 0)
            {
                throw new IOException($"The device at {managementSocket} has hung up.");
            }

            return MessageCodec.DecodeDeviceReply(buffer.AsSpan(0, message.Length)) switch
            {
                T wanted => wanted,
                DeviceErrorReply error => throw new ArrakisException(error.Code, error.Cause, error.Remedy),
                var other => throw new InvalidDataException($"The device answered with {other.GetType().Name}."),
            };
        }
    }
}
