namespace Arrakis.SoftDevice.Vhost;

/// <summary>A front end said what the vhost-user specification, or this device, does not allow; its session ends.</summary>
internal sealed class VhostProtocolException(string message) : Exception(message);
