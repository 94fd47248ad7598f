using Arrakis.Ctl;
using Arrakis.Ctl.Output;

using var terminal = new Terminal(Console.Out, Console.Error, isInteractive: !Console.IsOutputRedirected);
return await ArrakisctlCommand.RunAsync(args, terminal).ConfigureAwait(false);
