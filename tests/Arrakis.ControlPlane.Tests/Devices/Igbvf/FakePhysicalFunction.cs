using Arrakis.ControlPlane.Devices.Igbvf;
using Arrakis.ControlPlane.Devices.Vfio;

namespace Arrakis.ControlPlane.Tests.Devices.Igbvf;

/// <summary>A virtual function's registers, and the driver of its physical function behind the mailbox.</summary>
internal sealed class FakePhysicalFunction : IRegisterFile
{
    private readonly Dictionary<long, uint> _registers = [];
    private uint _mailbox;

    /// <summary>What the driver answers to a message; null says nothing.</summary>
    internal required Func<uint[], uint[]?> Answer { get; init; }

    /// <summary>Whether the physical function comes out of its own reset.</summary>
    internal bool FinishesReset { get; init; } = true;

    /// <summary>Whether the function has been taken out of the machine.</summary>
    internal bool IsGone { get; set; }

    /// <summary>Registers in the order in which they were written.</summary>
    internal List<(long Offset, uint Value)> Written { get; } = [];

    public byte Read8(long offset) => throw new InvalidOperationException("The 82576 has registers of four bytes.");

    public ushort Read16(long offset) => throw new InvalidOperationException("The 82576 has registers of four bytes.");

    public uint Read32(long offset)
    {
        if (IsGone)
        {
            return uint.MaxValue;
        }

        if (offset != IgbvfRegister.Mailbox)
        {
            return _registers.GetValueOrDefault(offset);
        }

        uint value = _mailbox;
        _mailbox &= ~(IgbvfRegister.MailboxHasMessage | IgbvfRegister.MailboxWasAcknowledged | IgbvfRegister.MailboxResetDone);
        return value;
    }

    public void Write8(long offset, byte value) => throw new InvalidOperationException("The 82576 has registers of four bytes.");

    public void Write16(long offset, ushort value) => throw new InvalidOperationException("The 82576 has registers of four bytes.");

    public void Write32(long offset, uint value)
    {
        Written.Add((offset, value));
        if (offset == IgbvfRegister.Control && (value & IgbvfRegister.ControlReset) != 0)
        {
            _registers.Clear();
            _mailbox = FinishesReset ? 0 : IgbvfRegister.MailboxResetting;
        }
        else if (offset == IgbvfRegister.Mailbox)
        {
            WriteMailbox(value);
        }
        else
        {
            _registers[offset] = value;
        }
    }

    private void WriteMailbox(uint value)
    {
        if ((value & IgbvfRegister.MailboxOwned) != 0)
        {
            _mailbox |= IgbvfRegister.MailboxOwned;
            return;
        }

        _mailbox &= ~IgbvfRegister.MailboxOwned;
        if ((value & IgbvfRegister.MailboxRequest) == 0)
        {
            return;
        }

        _mailbox |= IgbvfRegister.MailboxWasAcknowledged;
        uint[] message = [.. Enumerable.Range(0, IgbvfRegister.MailboxWords).Select(i => _registers.GetValueOrDefault(IgbvfRegister.MailboxMemory + i * sizeof(uint)))];
        if (Answer(message) is { } answer)
        {
            for (int i = 0; i < answer.Length; i++)
            {
                _registers[IgbvfRegister.MailboxMemory + i * sizeof(uint)] = answer[i];
            }

            _mailbox |= IgbvfRegister.MailboxHasMessage;
        }
    }
}
