using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Policy;

/// <summary>The policy in force. A broken file never replaces one that works.</summary>
internal sealed class PolicyStore
{
    private readonly string _path;
    private readonly ILogger<PolicyStore> _logger;
    private volatile PolicyDocument _current = new() { Rules = [] };

    public PolicyStore(IOptions<Hosting.DaemonOptions> options, ILogger<PolicyStore> logger)
    {
        _path = options.Value.PolicyFile;
        _logger = logger;
    }

    /// <summary>A policy that is in no file.</summary>
    internal PolicyStore(PolicyDocument fixedPolicy)
    {
        _path = "";
        _logger = Microsoft.Extensions.Logging.Abstractions.NullLogger<PolicyStore>.Instance;
        _current = fixedPolicy;
    }

    /// <summary>The policy in force.</summary>
    internal PolicyDocument Current => _current;

    /// <summary>Reads the file for the first time.</summary>
    /// <exception cref="PolicyException">It is broken; without a policy the daemon does not start.</exception>
    internal void Load()
    {
        _current = PolicyFile.Read(_path);
        _logger.LogInformation("Policy {Path} loaded: {Rules} rules.", _path, _current.Rules.Count);
    }

    /// <summary>Reads the file anew; whether it is in force now.</summary>
    internal bool TryReload()
    {
        try
        {
            Load();
            return true;
        }
        catch (PolicyException e)
        {
            _logger.LogError("Policy not reloaded, the old one stays in force: {Fault}", e.Message);
            return false;
        }
    }
}
