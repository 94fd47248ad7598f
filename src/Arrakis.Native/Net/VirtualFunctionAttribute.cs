namespace Arrakis.Native.Net;

/// <summary>A setting of a virtual function in IFLA_VF_INFO (linux/if_link.h).</summary>
public enum VirtualFunctionAttribute
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Hardware address.</summary>
    Mac = 1,

    /// <summary>VLAN and priority.</summary>
    Vlan = 2,

    /// <summary>Whether source addresses are checked.</summary>
    SpoofCheck = 4,

    /// <summary>Sending rates.</summary>
    Rate = 6,

    /// <summary>Whether it may ask for more.</summary>
    Trust = 9,
}
