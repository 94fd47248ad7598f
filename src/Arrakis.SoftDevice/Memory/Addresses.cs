namespace Arrakis.SoftDevice.Memory;

/// <summary>An address as descriptors in a ring have it (vhost-user calls it the guest address).</summary>
/// <param name="Value">The number.</param>
public readonly record struct Iova(ulong Value);

/// <summary>An address in the front end's own space, as SET_VRING_ADDR has it (vhost-user calls it the user address).</summary>
/// <param name="Value">The number.</param>
public readonly record struct FrontEndAddress(ulong Value);
