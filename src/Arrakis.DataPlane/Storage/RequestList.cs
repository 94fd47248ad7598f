using System.Diagnostics.CodeAnalysis;

namespace Arrakis.DataPlane.Storage;

/// <summary>Requests in their order, linked through themselves: nothing is allocated.</summary>
internal struct RequestList
{
    private PendingRequest? _last;

    /// <summary>The first.</summary>
    public PendingRequest? First { get; private set; }

    /// <summary>Whether there is none.</summary>
    public readonly bool IsEmpty => First is null;

    /// <summary>Adds one behind all others.</summary>
    public void Add(PendingRequest request)
    {
        request.Next = null;
        if (First is null)
        {
            First = request;
        }
        else
        {
            _last!.Next = request;
        }

        _last = request;
    }

    /// <summary>Takes the first.</summary>
    public bool TryTake([NotNullWhen(true)] out PendingRequest? request)
    {
        request = First;
        if (request is null)
        {
            return false;
        }

        First = request.Next;
        request.Next = null;
        return true;
    }

    /// <summary>Takes all.</summary>
    public RequestList TakeAll()
    {
        RequestList all = this;
        this = default;
        return all;
    }
}
