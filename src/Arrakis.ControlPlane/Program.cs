using System.CommandLine;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

Option<string?> config = new("--config") { Description = "Configuration file (default /etc/arrakis/arrakisd.json, if it is there)." };
Option<string?> socket = new("--socket") { Description = "Path of the control socket, over the file's." };
Option<string?> runtime = new("--runtime-directory") { Description = "Folder of device and keeper sockets, over the file's." };
Option<string?> policy = new("--policy") { Description = "Policy file, over the configuration's." };
Option<KeeperKind?> keeper = new("--keeper") { Description = "Who keeps descriptors while the daemon is down, over the file's." };
Option<StopBehaviour?> onStop = new("--on-stop") { Description = "What becomes of bindings when the daemon stops, over the file's." };
Option<bool> check = new("--check") { Description = "Check configuration and policy, and exit." };
RootCommand root = new("The Arrakis control plane: grants virtual functions of NICs to processes.") { config, socket, runtime, policy, keeper, onStop, check };

Option<string> keeperSocket = new("--socket") { Description = "Where the keeper listens.", Required = true };
Command keeperCommand = new("keeper", "Hold descriptors for a daemon; the daemon starts it by itself.") { keeperSocket };
root.Add(keeperCommand);
keeperCommand.SetAction((parsed, cancellation) => KeeperProcess.RunAsync(parsed.GetRequiredValue(keeperSocket), cancellation));
root.SetAction(async (parsed, cancellation) =>
{
    try
    {
        DaemonOptions options = DaemonCommandLine.Apply(
            parsed.GetValue(config), parsed.GetValue(socket), parsed.GetValue(runtime), parsed.GetValue(policy), parsed.GetValue(keeper), parsed.GetValue(onStop));
        if (parsed.GetValue(check))
        {
            return DaemonCommandLine.Check(options);
        }

        using IHost host = DaemonHost.Build(options, ServiceEnvironment.Take());
        await host.RunAsync(cancellation);
        return 0;
    }
    catch (OptionsValidationException e)
    {
        foreach (string fault in e.Failures)
        {
            Console.Error.WriteLine($"arrakisd: {fault}");
        }

        return DaemonCommandLine.ConfigurationFault;
    }
    catch (Exception e) when (e is ConfigurationException or PolicyException or LinuxException or IOException)
    {
        Console.Error.WriteLine($"arrakisd: {e.Message}");
        return DaemonCommandLine.ConfigurationFault;
    }
});
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
