using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Policy;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Areas;

/// <summary>Makes, changes and lists storage areas for those who may.</summary>
internal sealed class AreaService(AreaDirectory directory, Ledger ledger, PolicyStore policy, ILogger<AreaService> logger) : IDisposable
{
    // One change at a time: a name is one area's on all devices, and a user's total must not be passed by two at once.
    private readonly SemaphoreSlim _changes = new(1, 1);

    /// <summary>Makes an area; waits for blocks that are being zeroed where there is no other room.</summary>
    /// <exception cref="ArrakisException">Refused, or there is no room.</exception>
    internal async Task<AreaDescription> CreateAsync(PeerIdentity peer, CreateAreaRequest request, CancellationToken cancellation)
    {
        AreaName.Check(request.Area);
        uint owner = request.Owner ?? peer.UserId;
        DeviceAreas[] candidates = Candidates(peer, request.Device);
        while (true)
        {
            Task progress = Task.WhenAny(candidates.Select(static areas => areas.NextProgress));
            if (await TryCreateAsync(peer, request, owner, candidates, cancellation).ConfigureAwait(false) is { } made)
            {
                return made;
            }

            await progress.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Makes an area longer.</summary>
    internal async Task<AreaDescription> GrowAsync(PeerIdentity peer, GrowAreaRequest request, CancellationToken cancellation)
    {
        while (true)
        {
            using Change change = await BeginAsync(peer, request.Area, cancellation).ConfigureAwait(false);
            LocatedArea area = change.Area;
            Task progress = change.Areas.NextProgress;
            bool isZeroing = IsZeroing(change.Areas);
            Authorize(peer, area.Device, area.Name, area.Owner, request.Length - area.Length);
            try
            {
                _ = change.Catalogue.Grow(area.Name, request.Length);
                logger.LogInformation("Storage area {Area}: grown to {Length} bytes by {Peer}.", area.Name, request.Length, peer);
                return Describe(directory.Find(area.Name)!);
            }
            catch (ArrakisException e) when (isZeroing && e.Code == ErrorCode.StorageExhausted && WillHaveRoom(change.Areas, request.Length - area.Length))
            {
                change.Dispose();
                await progress.WaitAsync(cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Deletes an area that nobody has bound.</summary>
    internal async Task DeleteAsync(PeerIdentity peer, DeleteAreaRequest request, CancellationToken cancellation)
    {
        using Change change = await BeginAsync(peer, request.Area, cancellation).ConfigureAwait(false);
        using IDisposable held = ledger.HoldArea(change.Area.Device, change.Area.Name);
        _ = change.Catalogue.Delete(change.Area.Name);
        change.Areas.ZeroFreed();
        logger.LogInformation("Storage area {Area}: deleted by {Peer}.", request.Area, peer);
    }

    /// <summary>Changes an area's name, owner, or whether others may read it.</summary>
    internal async Task<AreaDescription> ChangeAsync(PeerIdentity peer, ChangeAreaRequest request, CancellationToken cancellation)
    {
        if (request.NewName is { } wanted)
        {
            AreaName.Check(wanted);
        }

        using Change change = await BeginAsync(peer, request.Area, cancellation).ConfigureAwait(false);
        LocatedArea area = change.Area;
        string name = request.NewName ?? area.Name;
        bool isAdministrator = IsAdministrator(peer);
        if (request.Owner is { } owner && owner != area.Owner)
        {
            RequireAdministrator(isAdministrator, peer, $"give storage area '{area.Name}' to uid {owner}");
            CheckOneOwner(change.Areas, owner, except: area.Name);
        }

        if (name != area.Name)
        {
            CheckFree(name);
            Authorize(peer, area.Device, name, area.Owner, 0);
        }

        if (request.SharedRead == true && !area.Device.ShowsAreas)
        {
            throw CannotShare(area.Device, $"nobody but uid {area.Owner} can be let read '{area.Name}' alone");
        }

        // Letting others read takes nothing from anybody who has it bound; all else would.
        bool isHarmless = name == area.Name && (request.Owner ?? area.Owner) == area.Owner && request.SharedRead != false;
        using IDisposable? held = isHarmless ? null : ledger.HoldArea(area.Device, area.Name);
        _ = change.Catalogue.Change(area.Name, request.NewName, request.Owner, request.SharedRead);
        logger.LogInformation("Storage area {Area}: changed by {Peer}: {Change}.", area.Name, peer, request);
        return Describe(directory.Find(name)!);
    }

    /// <summary>The areas that a process may bind; all, for an administrator.</summary>
    internal IReadOnlyList<AreaDescription> List(PeerIdentity peer)
    {
        bool all = IsAdministrator(peer);
        return [.. directory.Areas.Where(area => all || MaySee(policy.Current, peer, area)).OrderBy(static area => area.Name, StringComparer.Ordinal).Select(Describe)];
    }

    /// <summary>Whether a process that is no administrator may know of an area.</summary>
    internal static bool MaySee(PolicyDocument policy, PeerIdentity peer, LocatedArea area) =>
        area.Allows(peer.UserId, AreaAccess.Read) && PolicyEngine.MaySeeArea(policy, peer, area.Device.Options.Name, area.Name);

    internal static ArrakisException Unknown(string name) =>
        new(ErrorCode.UnknownArea, $"There is no storage area '{name}', or none that you may use.", "List the areas (arrakisctl area list), or ask its owner.");

    /// <summary>The refusal of a device that cannot keep its holders apart.</summary>
    internal static ArrakisException CannotShare(IBlockDevice device, string consequence) =>
        new(
            ErrorCode.Unauthorized,
            $"Device '{device.Options.Name}' has one namespace for all its functions, in which each holder reaches every block: {consequence}.",
            "Use another device, or let one user have all of its areas.");

    /// <inheritdoc/>
    public void Dispose() => _changes.Dispose();

    private async Task<AreaDescription?> TryCreateAsync(
        PeerIdentity peer, CreateAreaRequest request, uint owner, DeviceAreas[] candidates, CancellationToken cancellation)
    {
        await _changes.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            CheckFree(request.Area);
            ArrakisException? refusal = null;
            bool willHaveRoom = false;
            foreach (DeviceAreas areas in candidates)
            {
                bool isAuthorized = false;
                bool isZeroing = IsZeroing(areas);
                try
                {
                    Authorize(peer, areas.Device, request.Area, owner, RoundUp(areas.Catalogue!, request.Length));
                    isAuthorized = true;
                    CheckOneOwner(areas, owner, except: null);
                    _ = areas.Catalogue!.Create(request.Area, request.Length, owner);
                    logger.LogInformation("Storage area {Area}: {Length} bytes on {Device} made by {Peer} for uid {Owner}.", request.Area, request.Length, areas.Device.Options.Name, peer, owner);
                    return Describe(areas.Find(request.Area)!);
                }
                catch (ArrakisException e)
                {
                    willHaveRoom |= isAuthorized && isZeroing && e.Code == ErrorCode.StorageExhausted && WillHaveRoom(areas, request.Length);
                    refusal ??= e;
                }
            }

            return willHaveRoom ? null : throw refusal!;
        }
        finally
        {
            _ = _changes.Release();
        }
    }

    private static long RoundUp(AreaCatalogue catalogue, long length)
    {
        long unit = (long)catalogue.Geometry.UnitBlocks * catalogue.Geometry.BlockSize;
        return length <= 0 || length > long.MaxValue - unit ? length : (length + unit - 1) / unit * unit;
    }

    // Asked before an attempt: only then is there progress to wait for after it.
    private static bool IsZeroing(DeviceAreas areas) => areas is { HasZeroingFailed: false, Catalogue.UnzeroedBlocks: > 0 };

    private static bool WillHaveRoom(DeviceAreas areas, long length) =>
        areas.Catalogue is { } catalogue
        && length / catalogue.Geometry.BlockSize <= catalogue.FreeBlocks + catalogue.UnzeroedBlocks;

    private DeviceAreas[] Candidates(PeerIdentity peer, string? name)
    {
        if (name is null)
        {
            DeviceAreas[] all = [.. directory.Devices.Where(static areas => areas.Catalogue is not null)];
            return all.Length > 0 ? all : throw new ArrakisException(ErrorCode.UnknownDevice, "No device takes storage areas.", "Configure one in arrakisd.json (blocks of a soft device, or nvme).");
        }

        DeviceAreas named = ledger.FindDevice(name, policy.Current, peer) is IBlockDevice device
            ? directory.Of(device)
            : throw new ArrakisException(ErrorCode.InvalidRequest, $"Device '{name}' has no blocks.", "Name a block device.");
        return named.Catalogue is not null ? [named] : throw NothingToDo(named.Device);
    }

    private static ArrakisException NothingToDo(IBlockDevice device) =>
        new(ErrorCode.InvalidRequest, $"The storage areas of device '{device.Options.Name}' are whole disks that someone else gives it.", "Change its configuration.");

    private async Task<Change> BeginAsync(PeerIdentity peer, string name, CancellationToken cancellation)
    {
        await _changes.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            bool isAdministrator = IsAdministrator(peer);
            LocatedArea area = directory.Find(name) is { } found && (isAdministrator || MaySee(policy.Current, peer, found)) ? found : throw Unknown(name);
            RequireAdministrator(isAdministrator || peer.UserId == area.Owner, peer, $"change storage area '{name}', which is uid {area.Owner}'s");
            DeviceAreas areas = directory.Of(area.Device);
            return new Change(area, areas, areas.Catalogue ?? throw NothingToDo(area.Device), _changes);
        }
        catch
        {
            _ = _changes.Release();
            throw;
        }
    }

    /// <summary>Administrators may give anybody anything; others themselves what the policy gives them.</summary>
    private void Authorize(PeerIdentity peer, IBlockDevice device, string name, uint owner, long bytes)
    {
        if (IsAdministrator(peer))
        {
            return;
        }

        RequireAdministrator(owner == peer.UserId, peer, $"make storage areas for uid {owner}");
        long owned = directory.Areas.Where(area => area.Owner == owner && area.Function is null).Sum(static area => area.Length);
        PolicyDecision decision = PolicyEngine.DecideAllocation(policy.Current, peer, device.Options.Name, name, bytes, owned);
        if (decision.Refusal is { } refusal)
        {
            logger.LogWarning("Denied: {Peer} allocates {Bytes} bytes on {Device} for storage area {Area}: {Code}, {Cause}", peer, bytes, device.Options.Name, name, refusal.Code, refusal.Cause);
            throw refusal;
        }
    }

    /// <summary>A device whose functions all reach all of it is one user's: neither live areas nor what is left of deleted ones may be another's.</summary>
    private static void CheckOneOwner(DeviceAreas areas, uint owner, string? except)
    {
        IBlockDevice device = areas.Device;
        if (device.ShowsAreas)
        {
            return;
        }

        if (areas.Areas.FirstOrDefault(area => area.Owner != owner && area.Name != except) is { } other)
        {
            throw CannotShare(device, $"uid {other.Owner} has storage area '{other.Name}' there, so none can be uid {owner}'s");
        }

        bool isEmptied = !areas.Areas.Any(area => area.Name != except);
        if (isEmptied && areas.Catalogue!.UnzeroedBlocks > 0)
        {
            throw new ArrakisException(ErrorCode.StorageExhausted, $"Blocks of deleted storage areas of device '{device.Options.Name}' are being zeroed, and its next owner could read them.", "Wait until they are zeroed.");
        }

        if (isEmptied && !Enumerable.Range(0, device.FunctionCount).All(device.IsAvailable))
        {
            throw DeviceErrors.Unavailable(device.Options.Name, "has a function that a former holder still has open, and with it could reach its next owner's blocks");
        }
    }

    private void CheckFree(string name)
    {
        if (directory.FindDevice(name) is not null)
        {
            throw new ArrakisException(ErrorCode.AreaExists, $"There is a storage area '{name}' already.", "Take another name.");
        }
    }

    private bool IsAdministrator(PeerIdentity peer) => PolicyEngine.FindAdministratorRule(policy.Current, peer) is not null;

    private void RequireAdministrator(bool isAllowed, PeerIdentity peer, string what)
    {
        if (!isAllowed)
        {
            logger.LogWarning("Denied: {Peer} would {What}.", peer, what);
            throw new ArrakisException(ErrorCode.Unauthorized, $"uid {peer.UserId} may not {what}: no rule of the policy makes it an administrator.", "Ask an administrator.");
        }
    }

    private AreaDescription Describe(LocatedArea area) => new()
    {
        Name = area.Name,
        Device = area.Device.Options.Name,
        Owner = area.Owner,
        SharedRead = area.SharedRead,
        Length = area.Length,
        BlockSize = area.Geometry.BlockSize,
        Extents = area.Extents.Count,
        Bindings = ledger.BindingsOf(area.Device, area.Name),
    };

    /// <summary>A change of an area under way; no other is until it is disposed.</summary>
    private sealed class Change(LocatedArea area, DeviceAreas areas, AreaCatalogue catalogue, SemaphoreSlim changes) : IDisposable
    {
        private int _ended;

        internal LocatedArea Area => area;

        internal DeviceAreas Areas => areas;

        internal AreaCatalogue Catalogue => catalogue;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                _ = changes.Release();
            }
        }
    }
}
