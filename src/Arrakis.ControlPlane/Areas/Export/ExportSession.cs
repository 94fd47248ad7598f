using System.Collections.Concurrent;
using System.Text;
using Arrakis.Contract;
using Arrakis.Wire.Fuse;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>
/// Answers the kernel's requests about one folder of files, each of which is a storage area. What a user may not read he does not see. Files
/// are read and written directly: the kernel keeps no page of them, as an application may change them through its rings at any time.
/// </summary>
/// <remarks>For any thread. Time is the one moment that all files are said to be of.</remarks>
internal sealed class ExportSession(IExportedAreas areas, DateTimeOffset time)
{
    /// <summary>The most bytes of one read or write.</summary>
    internal const int MaxTransfer = 1 << 20;

    /// <summary>Room for each request.</summary>
    internal const int RequestLength = MaxTransfer + 4096;

    /// <summary>Room for each reply.</summary>
    internal const int ReplyLength = FuseReply.HeaderLength + MaxTransfer;

    private const int PageLength = 4096;
    private const ulong Root = 1;
    private const int MaxHandles = 1 << 16;
    private const uint AccessMask = 3; // O_ACCMODE
    private const uint ReadOnlyAccess = 0; // O_RDONLY
    private const uint KeepSize = 1; // FALLOC_FL_KEEP_SIZE
    private const uint PunchHole = 2; // FALLOC_FL_PUNCH_HOLE
    private const uint ZeroRange = 16; // FALLOC_FL_ZERO_RANGE
    private const FuseFeatures Features = FuseFeatures.AsyncRead | FuseFeatures.BigWrites | FuseFeatures.AsyncDirectIo | FuseFeatures.MaxPages;

    private readonly ConcurrentDictionary<(string Device, ulong Id), ulong> _nodes = new();
    private readonly ConcurrentDictionary<ulong, (string Device, ulong Id)> _areas = new();
    private readonly ConcurrentDictionary<ulong, OpenFile> _files = new();
    private readonly ConcurrentDictionary<ulong, IReadOnlyList<ExportedArea>> _folders = new();
    private readonly ulong _seconds = (ulong)time.ToUnixTimeSeconds();
    private ulong _lastNode = Root;
    private ulong _lastHandle;

    /// <summary>Answers a request. Returns the reply's length; 0 where none is wanted, or the request is none.</summary>
    internal int Answer(ReadOnlySpan<byte> packet, Span<byte> buffer)
    {
        if (!FuseRequest.TryRead(packet, out FuseRequest request) || request.Opcode is FuseOpcode.Forget or FuseOpcode.ForgetMany or FuseOpcode.Interrupt)
        {
            return 0;
        }

        var reply = new FuseReply(buffer, request.Unique);
        try
        {
            return Answer(request, reply);
        }
        catch (ArrakisException e)
        {
            return reply.Error(Errno.Of(e.Code));
        }
        catch (IOException)
        {
            return reply.Error(Errno.InputOutput);
        }
    }

    private int Answer(FuseRequest request, FuseReply reply) => request.Opcode switch
    {
        FuseOpcode.Initialize => Initialize(request, reply),
        FuseOpcode.Lookup => LookUp(request, reply),
        FuseOpcode.GetAttributes => GetAttributes(request, reply),
        FuseOpcode.SetAttributes => SetAttributes(request, reply),
        FuseOpcode.Open => Open(request, reply),
        FuseOpcode.Read => Read(request, reply),
        FuseOpcode.Write => Write(request, reply),
        FuseOpcode.Allocate => Allocate(request, reply),
        FuseOpcode.Sync => Sync(request, reply),
        FuseOpcode.Release => Close(_files, request, reply),
        FuseOpcode.OpenFolder => OpenFolder(request, reply),
        FuseOpcode.ReadFolder => ReadFolder(request, reply),
        FuseOpcode.ReleaseFolder => Close(_folders, request, reply),
        FuseOpcode.Statistics => Statistics(reply),
        FuseOpcode.Flush or FuseOpcode.SyncFolder or FuseOpcode.Destroy => reply.Done(),

        // Areas are made, renamed and deleted through the daemon's control socket.
        FuseOpcode.MakeNode or FuseOpcode.MakeFolder or FuseOpcode.Unlink or FuseOpcode.RemoveFolder or FuseOpcode.Rename
            or FuseOpcode.RenameWithFlags or FuseOpcode.Link or FuseOpcode.Create => reply.Error(Errno.NotPermitted),
        _ => reply.Error(Errno.NoSuchCall),
    };

    private static int Initialize(FuseRequest request, FuseReply reply)
    {
        // A kernel of a later major version asks again with ours (linux/fuse.h); there is none of an earlier one.
        return !FuseInitialize.TryRead(request.Body, out FuseInitialize kernel) || kernel.Major < FuseReply.Major
            ? reply.Error(Errno.Protocol)
            : reply.Initialize(kernel.Features & Features, kernel.ReadAhead, MaxTransfer, MaxTransfer / PageLength);
    }

    private int LookUp(FuseRequest request, FuseReply reply)
    {
        if (request.Node != Root || !request.TryReadName(out ReadOnlySpan<byte> bytes))
        {
            return reply.Error(Errno.NoEntry);
        }

        string name = Encoding.Latin1.GetString(bytes);
        return Visible(request.UserId).FirstOrDefault(area => area.Name == name) is { } found
            ? reply.Entry(Attributes(NodeOf(found), found))
            : reply.Error(Errno.NoEntry);
    }

    private int GetAttributes(FuseRequest request, FuseReply reply)
    {
        if (request.Node == Root)
        {
            return reply.Attributes(new FuseAttributes(Root, 0, FuseAttributes.Folder | 0x16D, 2, 0, _seconds, PageLength)); // 0555
        }

        return AreaOf(request.Node) is { } area ? reply.Attributes(Attributes(request.Node, area)) : reply.Error(Errno.Stale);
    }

    // A file that is truncated keeps its length, which is the area's: what would be cut off is zeroed. So what "cp" makes of a shorter file,
    // or one with holes, reads as it should.
    private int SetAttributes(FuseRequest request, FuseReply reply)
    {
        if (!FuseSetAttributes.TryRead(request.Body, out FuseSetAttributes value))
        {
            return reply.Error(Errno.Invalid);
        }

        if (request.Node == Root || (value.Changes & (FuseAttributeChanges.Mode | FuseAttributeChanges.User | FuseAttributeChanges.Group)) != 0)
        {
            return reply.Error(Errno.NotPermitted);
        }

        if (AreaOf(request.Node) is not { } area)
        {
            return reply.Error(Errno.Stale);
        }

        if ((value.Changes & FuseAttributeChanges.Size) != 0)
        {
            if (!area.Allows(request.UserId, AreaAccess.ReadWrite))
            {
                return reply.Error(Errno.Access);
            }

            if (value.Size > (ulong)area.Length)
            {
                return reply.Error(Errno.TooBig);
            }

            if (areas.Open(area) is not { } content)
            {
                return reply.Error(Errno.Stale);
            }

            content.Zero((long)value.Size, area.Length - (long)value.Size);
        }

        return reply.Attributes(Attributes(request.Node, area));
    }

    private int Open(FuseRequest request, FuseReply reply)
    {
        if (request.Body.Length < sizeof(uint) || request.Node == Root)
        {
            return reply.Error(Errno.Invalid);
        }

        AreaAccess access = (BitConverter.ToUInt32(request.Body) & AccessMask) == ReadOnlyAccess ? AreaAccess.Read : AreaAccess.ReadWrite;
        if (AreaOf(request.Node) is not { } area || areas.Open(area) is not { } content)
        {
            return reply.Error(Errno.Stale);
        }

        return area.Allows(request.UserId, access)
            ? Keep(_files, new OpenFile(content, access), reply, isDirect: true)
            : reply.Error(Errno.Access);
    }

    private int Read(FuseRequest request, FuseReply reply)
    {
        if (!FuseTransfer.TryRead(request.Body, out FuseTransfer part) || part.Offset > long.MaxValue - MaxTransfer)
        {
            return reply.Error(Errno.Invalid);
        }

        return _files.TryGetValue(part.Handle, out OpenFile? file)
            ? reply.Done(file.Content.Read(Room(reply, part.Size), (long)part.Offset))
            : reply.Error(Errno.BadDescriptor);
    }

    private int Write(FuseRequest request, FuseReply reply)
    {
        if (!FuseTransfer.TryRead(request.Body, out FuseTransfer part) || part.Offset > long.MaxValue - MaxTransfer || part.Size != request.Body.Length - FuseTransfer.Length)
        {
            return reply.Error(Errno.Invalid);
        }

        if (!_files.TryGetValue(part.Handle, out OpenFile? file) || file.Access != AreaAccess.ReadWrite)
        {
            return reply.Error(Errno.BadDescriptor);
        }

        int written = file.Content.Write(request.Body[FuseTransfer.Length..], (long)part.Offset);
        return written == 0 && part.Size > 0 ? reply.Error(Errno.NoSpace) : reply.Written((uint)written);
    }

    private int Allocate(FuseRequest request, FuseReply reply)
    {
        if (!FuseAllocate.TryRead(request.Body, out FuseAllocate part))
        {
            return reply.Error(Errno.Invalid);
        }

        if (!_files.TryGetValue(part.Handle, out OpenFile? file) || file.Access != AreaAccess.ReadWrite)
        {
            return reply.Error(Errno.BadDescriptor);
        }

        if (AreaOf(request.Node) is not { } area)
        {
            return reply.Error(Errno.Stale);
        }

        if (part.Count > (ulong)area.Length || part.Offset > (ulong)area.Length - part.Count)
        {
            return reply.Error(Errno.NoSpace);
        }

        switch (part.Mode & ~KeepSize)
        {
            case 0: // All of an area has its blocks.
                return reply.Done();
            case PunchHole or ZeroRange:
                file.Content.Zero((long)part.Offset, (long)part.Count);
                return reply.Done();
            default:
                return reply.Error(Errno.NotSupported);
        }
    }

    private int Sync(FuseRequest request, FuseReply reply)
    {
        if (!TryReadHandle(request, out ulong handle) || !_files.TryGetValue(handle, out OpenFile? file))
        {
            return reply.Error(Errno.BadDescriptor);
        }

        file.Content.Flush();
        return reply.Done();
    }

    private int OpenFolder(FuseRequest request, FuseReply reply) =>
        request.Node == Root ? Keep(_folders, [.. Visible(request.UserId)], reply, isDirect: false) : reply.Error(Errno.NotAFolder);

    // The list is that of the moment when the folder was opened; offsets are places in it.
    private int ReadFolder(FuseRequest request, FuseReply reply)
    {
        if (!FuseTransfer.TryRead(request.Body, out FuseTransfer part) || !_folders.TryGetValue(part.Handle, out IReadOnlyList<ExportedArea>? list))
        {
            return reply.Error(Errno.BadDescriptor);
        }

        Span<byte> rest = Room(reply, part.Size);
        int length = 0;
        for (ulong i = part.Offset; i < (ulong)list.Count + 2; i++)
        {
            ExportedArea? area = i < 2 ? null : list[(int)(i - 2)];
            int entry = FuseReply.WriteFolderEntry(
                rest[length..],
                area is null ? Root : NodeOf(area),
                i + 1,
                area is null ? FuseAttributes.Folder : FuseAttributes.RegularFile,
                area?.Name ?? (i == 0 ? "." : ".."));
            if (entry == 0)
            {
                break;
            }

            length += entry;
        }

        return reply.Done(length);
    }

    private int Statistics(FuseReply reply)
    {
        IReadOnlyList<ExportedArea> all = areas.List();
        return reply.Statistics((ulong)all.Sum(static area => area.Length / PageLength), PageLength, (ulong)all.Count, AreaName.MaxLength);
    }

    private static int Close<T>(ConcurrentDictionary<ulong, T> open, FuseRequest request, FuseReply reply) =>
        TryReadHandle(request, out ulong handle) && open.TryRemove(handle, out _) ? reply.Done() : reply.Error(Errno.BadDescriptor);

    private int Keep<T>(ConcurrentDictionary<ulong, T> open, T what, FuseReply reply, bool isDirect)
    {
        if (open.Count >= MaxHandles)
        {
            return reply.Error(Errno.TooManyFiles);
        }

        ulong handle = Interlocked.Increment(ref _lastHandle);
        open[handle] = what;
        return reply.Opened(handle, isDirect);
    }

    private static Span<byte> Room(FuseReply reply, uint size) => reply.Data[..(int)Math.Min(size, (uint)Math.Min(MaxTransfer, reply.Data.Length))];

    private static bool TryReadHandle(FuseRequest request, out ulong handle)
    {
        bool isThere = request.Body.Length >= sizeof(ulong);
        handle = isThere ? BitConverter.ToUInt64(request.Body) : 0;
        return isThere;
    }

    private IEnumerable<ExportedArea> Visible(uint user) => areas.List().Where(area => area.Allows(user, AreaAccess.Read));

    private ExportedArea? AreaOf(ulong node) =>
        _areas.TryGetValue(node, out (string Device, ulong Id) key) ? areas.List().FirstOrDefault(area => area.Device == key.Device && area.Id == key.Id) : null;

    private ulong NodeOf(ExportedArea area) => _nodes.GetOrAdd((area.Device, area.Id), key =>
    {
        ulong node = Interlocked.Increment(ref _lastNode);
        _areas[node] = key;
        return node;
    });

    private FuseAttributes Attributes(ulong node, ExportedArea area) =>
        new(node, (ulong)area.Length, FuseAttributes.RegularFile | (area.SharedRead ? 0x1A4u : 0x180u), 1, area.Owner, _seconds, MaxTransfer); // 0644, 0600

    private sealed record OpenFile(IAreaReader Content, AreaAccess Access);
}
