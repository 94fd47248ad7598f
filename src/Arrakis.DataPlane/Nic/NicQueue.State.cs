namespace Arrakis;

/// <content>What the device's coming back means for a NIC.</content>
public sealed partial class NicQueue
{
    private protected override void OnLinkUp()
    {
        // A device that came back may not know this host's address, nor what was posted while it was away.
        if (Index == 0)
        {
            _arp.Announce();
        }

        _sender.Flush();
        _receiveRing.RingDoorbell();
        _transmitRing.RingDoorbell();
    }
}
