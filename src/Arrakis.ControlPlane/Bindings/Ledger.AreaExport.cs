using Arrakis.Contract;

namespace Arrakis.ControlPlane.Bindings;

/// <content>What is asked before an area is written as a file.</content>
internal sealed partial class Ledger
{
    /// <summary>Whether a binding may write an area.</summary>
    internal bool IsBoundForWriting(string area)
    {
        lock (_lock)
        {
            return _claims.Values.Any(claim => claim.Area == area && claim.Access == AreaAccess.ReadWrite);
        }
    }
}
