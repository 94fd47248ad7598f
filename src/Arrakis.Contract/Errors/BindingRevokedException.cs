namespace Arrakis.Contract;

/// <summary>The control plane took a binding back; the process and its other bindings go on.</summary>
public sealed class BindingRevokedException : ArrakisException
{
    /// <summary>Makes an exception that names no binding.</summary>
    public BindingRevokedException()
        : base(ErrorCode.BindingRevoked, "A binding was revoked.", RemedyText)
    {
    }

    /// <summary>Makes an exception that names no binding.</summary>
    public BindingRevokedException(string message)
        : base(ErrorCode.BindingRevoked, message, RemedyText)
    {
    }

    /// <summary>Makes an exception that names no binding.</summary>
    public BindingRevokedException(string message, Exception? innerException)
        : base(ErrorCode.BindingRevoked, message, RemedyText, innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="bindingId">The binding.</param>
    /// <param name="generation">Its generation.</param>
    /// <param name="state">How it ended: revoked, aborted or released.</param>
    /// <param name="repossessed">What was taken.</param>
    public BindingRevokedException(ulong bindingId, uint generation, BindingState state, IReadOnlyList<RepossessionEntry> repossessed)
        : base(ErrorCode.BindingRevoked, $"Binding {bindingId} (generation {generation}) is {state}.", RemedyText)
    {
        BindingId = bindingId;
        Generation = generation;
        State = state;
        Repossessed = repossessed;
    }

    private const string RemedyText = "Dispose it and bind again, if the policy still allows.";

    /// <summary>The binding.</summary>
    public ulong BindingId { get; }

    /// <summary>The binding's generation.</summary>
    public uint Generation { get; }

    /// <summary>How it ended.</summary>
    public BindingState State { get; } = BindingState.Revoked;

    /// <summary>The repossession vector: what was taken.</summary>
    public IReadOnlyList<RepossessionEntry> Repossessed { get; } = [];
}
