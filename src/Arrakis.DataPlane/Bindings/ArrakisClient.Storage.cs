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
        ControlConnection connection = await GetConnectionAsync(cancellationToken).ConfigureAwait(false);
        ControlAnswer answer = await connection.RequestAsync(
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
            cancellationToken).ConfigureAwait(false);
        if (answer.Reply is not BindStorageReply { Grant: { } grant })
        {
            answer.CloseDescriptors();
            throw ControlConnection.Unexpected(answer.Reply);
        }

        _live[(grant.BindingId, grant.Generation)] = 0;
        try
        {
            return new StorageBinding(
                grant,
                answer.Descriptors,
                binding => ReleaseQuietlyAsync(binding.Grant.BindingId, binding.Grant.Generation),
                request.OnRevocationRequested,
                request.Timeout);
        }
        catch
        {
            answer.CloseDescriptors();
            await ReleaseQuietlyAsync(grant.BindingId, grant.Generation).ConfigureAwait(false);
            throw;
        }
    }
}
