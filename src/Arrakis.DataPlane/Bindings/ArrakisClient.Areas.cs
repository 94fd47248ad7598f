using Arrakis.Contract;
using Arrakis.Contract.Control;

namespace Arrakis;

/// <content>Storage areas: made, changed and listed.</content>
public sealed partial class ArrakisClient
{
    /// <summary>Makes a storage area (administrators, and whom the policy lets). It reads as zeros.</summary>
    /// <param name="area">Its name: 1 to 63 of the letters a-z, 0-9, '-', '_' and '.', the first no '.'.</param>
    /// <param name="length">Bytes; rounded up to the device's unit of allocation.</param>
    /// <param name="device">The device that it is to be on; null takes the first that the policy allows and that has room.</param>
    /// <param name="owner">Who is to own it; null takes this process's user.</param>
    /// <param name="cancellationToken">Gives up. While what is free is still being zeroed, the daemon waits for it.</param>
    /// <exception cref="ArrakisException">Refused (<see cref="ErrorCode.Unauthorized"/>), a name that is taken (<see cref="ErrorCode.AreaExists"/>), or no room (<see cref="ErrorCode.StorageExhausted"/>).</exception>
    public ValueTask<AreaDescription> CreateAreaAsync(string area, long length, string? device = null, uint? owner = null, CancellationToken cancellationToken = default) =>
        AskAreaAsync(id => new CreateAreaRequest { Id = id, Area = area, Length = length, Device = device, Owner = owner }, cancellationToken);

    /// <summary>Makes a storage area longer; what it has stays, and what is added reads as zeros. A binding sees the new length when it is bound again.</summary>
    /// <param name="area">Its name.</param>
    /// <param name="length">Bytes that it is to have; rounded up to the device's unit of allocation.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArrakisException">It is unknown, another's, longer already, or there is no room.</exception>
    public ValueTask<AreaDescription> GrowAreaAsync(string area, long length, CancellationToken cancellationToken = default) =>
        AskAreaAsync(id => new GrowAreaRequest { Id = id, Area = area, Length = length }, cancellationToken);

    /// <summary>Changes a storage area's name, owner (administrators), or whether others may read it; what is null stays.</summary>
    /// <exception cref="ArrakisException">It is unknown, another's, or bound (<see cref="ErrorCode.AreaInUse"/>).</exception>
    public ValueTask<AreaDescription> ChangeAreaAsync(string area, string? newName = null, uint? owner = null, bool? sharedRead = null, CancellationToken cancellationToken = default) =>
        AskAreaAsync(id => new ChangeAreaRequest { Id = id, Area = area, NewName = newName, Owner = owner, SharedRead = sharedRead }, cancellationToken);

    /// <summary>Deletes a storage area that nobody has bound. Its blocks are zeroed before another area gets them.</summary>
    /// <exception cref="ArrakisException">It is unknown, another's, or bound (<see cref="ErrorCode.AreaInUse"/>).</exception>
    public async ValueTask DeleteAreaAsync(string area, CancellationToken cancellationToken = default) =>
        _ = await AskAsync<DoneReply>(id => new DeleteAreaRequest { Id = id, Area = area }, cancellationToken).ConfigureAwait(false);

    /// <summary>Lists the storage areas that this process may bind, or all for an administrator.</summary>
    public async ValueTask<IReadOnlyList<AreaDescription>> ListAreasAsync(CancellationToken cancellationToken = default) =>
        (await AskAsync<AreasReply>(static id => new ListAreasRequest { Id = id }, cancellationToken).ConfigureAwait(false)).Areas;

    private async ValueTask<AreaDescription> AskAreaAsync(Func<ulong, ControlRequest> make, CancellationToken cancellation)
    {
        AreasReply reply = await AskAsync<AreasReply>(make, cancellation).ConfigureAwait(false);
        return reply.Areas is [var area] ? area : throw ControlConnection.Unexpected(reply);
    }
}
