using System.Buffers.Binary;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Devices.Igbvf;

/// <summary>
/// The mailbox between a virtual function and the driver of its physical function: one message at a time, each acknowledged
/// and most answered (82576 datasheet, "VF to PF mailbox"). Whoever is on the other side is waited for only so long.
/// </summary>
internal sealed class IgbvfMailbox(IRegisterFile registers, TimeProvider time)
{
    private const uint ResetMessage = 1;
    private const uint SetMaxFrame = 5;
    private const uint Accepted = 1u << 31;
    private const uint Refused = 1u << 30;
    private const uint KindMask = 0xFFFF;

    // These are cleared by being read, whatever was asked for.
    private const uint ClearedByReading = IgbvfRegister.MailboxHasMessage | IgbvfRegister.MailboxWasAcknowledged | IgbvfRegister.MailboxResetDone;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private uint _seen;

    /// <summary>Tells the physical function's driver of a reset; it sets filters up anew. Returns the hardware address that it gave.</summary>
    /// <exception cref="FunctionFaultException">It gave none, or does not answer.</exception>
    internal async Task<MacAddress> ResetAsync(CancellationToken cancellation)
    {
        // The end of a reset is told once, to whoever had the function then: silence means that there is none under way.
        const uint Begun = IgbvfRegister.MailboxResetting, Done = IgbvfRegister.MailboxResetDone;
        await PollAsync(() => (Look() & (Begun | Done)) != Begun, "finish a reset of its own", cancellation).ConfigureAwait(false);
        uint[] answer = await AskAsync([ResetMessage], 3, cancellation).ConfigureAwait(false);
        byte[] octets = new byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(octets, answer[1]);
        BinaryPrimitives.WriteUInt32LittleEndian(octets.AsSpan(sizeof(uint)), answer[2]);
        MacAddress mac = MacAddress.Read(octets);
        return (answer[0] & Accepted) != 0 && mac.IsUnicast
            ? mac
            : throw new FunctionFaultException($"the physical function's driver gives it no hardware address (answer {answer[0]:x8}, {mac}): 'ip link set INTERFACE vf NUMBER mac ADDRESS' does, and so does a device of kind \"sriov\"");
    }

    /// <summary>Has frames let through up to a length.</summary>
    /// <exception cref="FunctionFaultException">It is refused, or not answered.</exception>
    internal async Task SetMaxFrameAsync(int bytes, CancellationToken cancellation)
    {
        uint[] answer = await AskAsync([SetMaxFrame, (uint)bytes], 1, cancellation).ConfigureAwait(false);
        if ((answer[0] & Refused) != 0)
        {
            throw new FunctionFaultException($"the physical function's driver refuses frames of {bytes} bytes; lower the device's mtu");
        }
    }

    private async Task<uint[]> AskAsync(uint[] message, int answerWords, CancellationToken cancellation)
    {
        await OwnAsync(cancellation).ConfigureAwait(false);
        _seen &= ~(IgbvfRegister.MailboxHasMessage | IgbvfRegister.MailboxWasAcknowledged);
        for (int i = 0; i < message.Length; i++)
        {
            registers.Write32(IgbvfRegister.MailboxMemory + i * sizeof(uint), message[i]);
        }

        registers.Write32(IgbvfRegister.Mailbox, IgbvfRegister.MailboxRequest); // This also gives the buffer up.
        await WaitForAsync(IgbvfRegister.MailboxWasAcknowledged, "take a message", cancellation).ConfigureAwait(false);
        await WaitForAsync(IgbvfRegister.MailboxHasMessage, "answer", cancellation).ConfigureAwait(false);
        await OwnAsync(cancellation).ConfigureAwait(false);
        uint[] answer = new uint[answerWords];
        for (int i = 0; i < answer.Length; i++)
        {
            answer[i] = registers.Read32(IgbvfRegister.MailboxMemory + i * sizeof(uint));
        }

        registers.Write32(IgbvfRegister.Mailbox, IgbvfRegister.MailboxAcknowledge);
        return (answer[0] & KindMask) == message[0]
            ? answer
            : throw new FunctionFaultException($"the physical function's driver answers message {message[0]} with {answer[0]:x8}");
    }

    private Task OwnAsync(CancellationToken cancellation) =>
        PollAsync(
            () =>
            {
                registers.Write32(IgbvfRegister.Mailbox, IgbvfRegister.MailboxOwned);
                return (Look() & IgbvfRegister.MailboxOwned) != 0;
            },
            "free the mailbox",
            cancellation);

    private async Task WaitForAsync(uint bits, string what, CancellationToken cancellation)
    {
        await PollAsync(() => (Look() & bits) != 0, what, cancellation).ConfigureAwait(false);
        _seen &= ~bits;
    }

    private uint Look()
    {
        uint value = registers.Read32(IgbvfRegister.Mailbox);
        if (value == uint.MaxValue)
        {
            throw new FunctionFaultException("it does not answer any more (registers read as all ones)");
        }

        value |= _seen;
        _seen |= value & ClearedByReading;
        return value;
    }

    private async Task PollAsync(Func<bool> condition, string what, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        while (!condition())
        {
            if (time.GetElapsedTime(start) > s_patience)
            {
                throw new FunctionFaultException($"the physical function's driver did not {what} within {s_patience.TotalSeconds:0} s; is its interface up?");
            }

            await Task.Delay(s_pause, time, cancellation).ConfigureAwait(false);
        }
    }
}
