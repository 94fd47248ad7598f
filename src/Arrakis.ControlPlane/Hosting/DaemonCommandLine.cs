using Arrakis.ControlPlane.Policy;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Puts the command line over the configuration file.</summary>
internal static class DaemonCommandLine
{
    /// <summary>Exit code of a configuration or policy that cannot be used (sysexits.h, EX_CONFIG).</summary>
    internal const int ConfigurationFault = 78;

    private const string DefaultConfiguration = "/etc/arrakis/arrakisd.json";

    internal static DaemonOptions Apply(string? config, string? socket, string? runtime, string? policy, KeeperKind? keeper, StopBehaviour? onStop)
    {
        DaemonOptions options = config is not null || File.Exists(DefaultConfiguration)
            ? ConfigurationFile.Read(config ?? DefaultConfiguration)
            : new DaemonOptions();
        return options with
        {
            Socket = socket is null ? options.Socket : options.Socket with { Path = socket },
            RuntimeDirectory = runtime ?? options.RuntimeDirectory,
            PolicyFile = policy ?? options.PolicyFile,
            Keeper = keeper ?? options.Keeper,
            OnStop = onStop ?? options.OnStop,
        };
    }

    /// <summary>Says what is wrong with the configuration and the policy, as far as it can be said without starting.</summary>
    internal static int Check(DaemonOptions options)
    {
        ValidateOptionsResult result = new DaemonOptionsValidator().Validate(null, options);
        foreach (string fault in result.Failures ?? [])
        {
            Console.Error.WriteLine($"arrakisd: {fault}");
        }

        PolicyDocument policy = PolicyFile.Read(options.PolicyFile);
        if (result.Failed)
        {
            return ConfigurationFault;
        }

        Console.WriteLine($"Configuration: {options.Devices.Count} devices. Policy {options.PolicyFile}: {policy.Rules.Count} rules. Both can be used.");
        return 0;
    }
}
