namespace Arrakis.SystemApp.Conversation;

/// <summary>The socket layer that a server answers through.</summary>
public enum ServerApi
{
    /// <summary>Packets straight from the rings.</summary>
    Native,

    /// <summary>A UDP socket on a reactor.</summary>
    Socket,
}

/// <summary>What a holder does when its binding is asked back.</summary>
public enum WhenAskedBack
{
    /// <summary>It has no callback.</summary>
    Nothing,

    /// <summary>It gives the binding back.</summary>
    GiveBack,

    /// <summary>It hears of it and does nothing.</summary>
    StaySilent,
}

/// <summary>How a hostile holder misbehaves.</summary>
public enum Attack
{
    /// <summary>Truncates its queue memory.</summary>
    Truncate,

    /// <summary>Writes garbage into both rings, over and over.</summary>
    Garbage,
}

/// <summary>Order of <see cref="Roles.FilteredEcho"/>.</summary>
public sealed record FilteredEchoOrder(string ControlSocket, ServerApi Api, int Core, ushort Port);

/// <summary>How an application asks for blocks.</summary>
public enum StorageApi
{
    /// <summary>It submits requests and polls for results itself.</summary>
    Batch,

    /// <summary>It awaits them on a reactor.</summary>
    Async,
}

/// <summary>Order of <see cref="Roles.FilteredStorage"/>.</summary>
public sealed record FilteredStorageOrder(string ControlSocket, string Area, StorageApi Api, int Core, long Requests);

/// <summary>Order of <see cref="Roles.Echo"/>.</summary>
public sealed record EchoOrder(string ControlSocket, ServerApi Api, int Bindings, ushort Port, WhenAskedBack WhenAskedBack);

/// <summary>Order of <see cref="Roles.QueueEcho"/>.</summary>
public sealed record QueueEchoOrder(string ControlSocket, ServerApi Api, int QueuePairs, ushort Port);

/// <summary>Order of <see cref="Roles.Flood"/>.</summary>
public sealed record FloodOrder(string ControlSocket, string Target, ushort Port);

/// <summary>Order of <see cref="Roles.Hostile"/>.</summary>
public sealed record HostileOrder(string ControlSocket, Attack Attack, int Seed);

/// <summary>Order of <see cref="Roles.Spoof"/>.</summary>
public sealed record SpoofOrder(string ControlSocket, ushort Port, string VictimMac, string VictimAddress);

/// <summary>Order of <see cref="Roles.Churn"/>.</summary>
public sealed record ChurnOrder(string ControlSocket, int Threads, int Seed);

/// <summary>Order of <see cref="Roles.KernelClient"/>.</summary>
public sealed record KernelClientOrder(string Target, ushort Port, int Datagrams, int Seed);

/// <summary>Order of <see cref="Roles.KernelEcho"/>.</summary>
public sealed record KernelEchoOrder(string Address, ushort Port);

/// <summary>Order of <see cref="Roles.ArpAsker"/>.</summary>
public sealed record ArpOrder(string Interface, string Sender, string Target, int Requests);
