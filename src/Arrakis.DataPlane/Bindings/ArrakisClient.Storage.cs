using Arrakis.Contract;
using Arrakis.Contract.Control;

namespace Arrakis;

/// <content>Storage areas.</content>
public sealed partial class ArrakisClient
{
    /// <summary>Binds a storage area: authorized once, here; from then on its queues are the process's own.</summary>
    /// <exception cref="ArrakisException">Refused or failed; <see cref="ArrakisException.Code"/> says why.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is not positive, or longer than a day.</exception>
    public async ValueTask<StorageBinding> BindStorageAsync(StorageRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(request.Timeout, TimeSpan.Zero, nameof(request));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Timeout, TimeSpan.FromDays(1), nameof(request));
        return await BindAsync<BindStorageReply, StorageBinding>(
            id => new BindStorageRequest
            {
                Id = id,
                Area = request.Area,
                Access = request.Access,
                QueueSize = request.QueueSize,
                Queues = request.Queues,
                Buffers = request.Buffers,
                BufferSize = request.BufferSize,
            },
            (reply, descriptors) => new StorageBinding(reply.Grant, descriptors, ReleaseQuietlyAsync, request.OnRevocationRequested, request.Timeout),
            cancellationToken).ConfigureAwait(false);
    }
}
