namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>The registers of a BAR, for setting a function up: each access has the width that the register has. Not for a packet's path.</summary>
internal interface IRegisterFile
{
    /// <summary>Reads one byte.</summary>
    byte Read8(long offset);

    /// <summary>Reads two bytes, aligned.</summary>
    ushort Read16(long offset);

    /// <summary>Reads four bytes, aligned.</summary>
    uint Read32(long offset);

    /// <summary>Writes one byte.</summary>
    void Write8(long offset, byte value);

    /// <summary>Writes two bytes, aligned.</summary>
    void Write16(long offset, ushort value);

    /// <summary>Writes four bytes, aligned.</summary>
    void Write32(long offset, uint value);
}
