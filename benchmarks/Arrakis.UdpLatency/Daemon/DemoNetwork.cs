namespace Arrakis.UdpLatency.Daemon;

/// <summary>Addresses on the software device's network.</summary>
internal static class DemoNetwork
{
    public const string Prefix = "10.98.0.0/24";
    public const string Server = "10.98.0.2";
    public const string Dpdk = "10.98.0.3";
    public const string Kernel = "10.98.0.100";
    public const string Tester = "10.98.0.200";
    public const ushort EchoPort = 7;

    public static string WithPrefix(string address) => $"{address}/24";
}
