namespace Arrakis.ControlPlane.Devices.Igbvf;

/// <summary>Registers of a virtual function of the 82576, in BAR 0, and their bits (82576 datasheet, "Virtual Function Device Registers").</summary>
internal static class IgbvfRegister
{
    internal const long Control = 0x0000; // VTCTRL
    internal const uint ControlReset = 1u << 26;

    internal const long EventMaskSet = 0x1524; // VTEIMS
    internal const long EventMaskClear = 0x1528; // VTEIMC
    internal const long EventAutoClear = 0x152C; // VTEIAC
    internal const long EventAutoMask = 0x1530; // VTEIAM
    internal const long EventThrottle = 0x1680; // VTEITR
    internal const long VectorAllocation = 0x1700; // VTIVAR: receive queue 0 in the low byte, transmit queue 0 in the next
    internal const uint VectorValid = 0x80;

    internal const long MailboxMemory = 0x0800; // VMBMEM
    internal const int MailboxWords = 16;
    internal const long Mailbox = 0x0C40; // V2PMAILBOX
    internal const uint MailboxRequest = 1u << 0;
    internal const uint MailboxAcknowledge = 1u << 1;
    internal const uint MailboxOwned = 1u << 2; // By the virtual function (VFU).
    internal const uint MailboxHasMessage = 1u << 4; // PFSTS
    internal const uint MailboxWasAcknowledged = 1u << 5; // PFACK
    internal const uint MailboxResetting = 1u << 6; // RSTI
    internal const uint MailboxResetDone = 1u << 7; // RSTD

    internal const long ReceiveBase = 0x2800; // RDBAL, RDBAH, RDLEN
    internal const long ReceiveControl = 0x280C; // SRRCTL
    internal const uint ReceiveOneBuffer = 1u << 25; // DESCTYPE: advanced, one buffer
    internal const uint ReceiveDropWhenEmpty = 1u << 31; // DROP_EN
    internal const long ReceiveHead = 0x2810;
    internal const long ReceiveTail = 0x2818;
    internal const long ReceiveDescriptors = 0x2828; // RXDCTL

    internal const long TransmitBase = 0x3800; // TDBAL, TDBAH, TDLEN
    internal const long TransmitHead = 0x3810;
    internal const long TransmitTail = 0x3818;
    internal const long TransmitDescriptors = 0x3828; // TXDCTL

    internal const uint QueueEnable = 1u << 25; // In RXDCTL and TXDCTL.

    // Of a queue's base address register.
    internal const long BaseHigh = 4;
    internal const long BaseLength = 8;
}
