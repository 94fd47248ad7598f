using Arrakis.DataPlane.Ip;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Tests.Ip;

public sealed class Ipv4RouteTests
{
    [Theory]
    [InlineData("10.7.0.2/24", null, "10.7.0.9", nameof(RouteKind.Neighbour), "10.7.0.9")]
    [InlineData("10.7.0.2/24", "10.7.0.1", "10.7.0.9", nameof(RouteKind.Neighbour), "10.7.0.9")]
    [InlineData("10.7.0.2/24", "10.7.0.1", "10.7.1.9", nameof(RouteKind.Neighbour), "10.7.0.1")]
    [InlineData("10.7.0.2/24", "10.7.0.1", "8.8.8.8", nameof(RouteKind.Neighbour), "10.7.0.1")]
    [InlineData("10.7.0.2/24", "10.7.0.1", "10.7.0.1", nameof(RouteKind.Neighbour), "10.7.0.1")]
    [InlineData("10.7.0.2/24", null, "10.7.1.9", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/24", null, "10.7.0.2", nameof(RouteKind.Self), null)]
    [InlineData("10.7.0.2/24", null, "10.7.0.255", nameof(RouteKind.Broadcast), null)]
    [InlineData("10.7.0.2/24", null, "255.255.255.255", nameof(RouteKind.Broadcast), null)]
    [InlineData("10.7.0.2/24", "10.7.0.1", "10.7.1.255", nameof(RouteKind.Neighbour), "10.7.0.1")]
    [InlineData("10.7.0.2/24", "10.7.0.1", "224.0.0.1", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/24", "10.7.0.1", "239.255.255.255", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/24", "10.7.0.1", "240.0.0.1", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/24", "10.7.0.1", "127.0.0.1", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/24", "10.7.0.1", "0.0.0.0", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/31", null, "10.7.0.3", nameof(RouteKind.Neighbour), "10.7.0.3")]
    [InlineData("10.7.0.2/31", null, "255.255.255.255", nameof(RouteKind.Broadcast), null)]
    [InlineData("10.7.0.2/32", "10.7.0.1", "10.7.0.3", nameof(RouteKind.Neighbour), "10.7.0.1")]
    [InlineData("10.7.0.2/32", null, "10.7.0.3", nameof(RouteKind.None), null)]
    [InlineData("10.7.0.2/0", null, "8.8.8.8", nameof(RouteKind.Neighbour), "8.8.8.8")]
    public void A_destination_has_one_way(string address, string? gateway, string destination, string kind, string? neighbour)
    {
        var route = new Ipv4Route(Ipv4Prefix.Parse(address), gateway is null ? null : Ipv4Address.Parse(gateway));
        RouteKind found = route.Find(Ipv4Address.Parse(destination), out Ipv4Address next);
        Assert.Equal(kind, found.ToString());
        if (neighbour is not null)
        {
            Assert.Equal(Ipv4Address.Parse(neighbour), next);
        }
    }
}
