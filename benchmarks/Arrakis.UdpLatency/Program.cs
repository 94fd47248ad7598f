using Arrakis.UdpLatency.Commands;
using Arrakis.UdpLatency.Processes;

return args is [Role.Argument, string role, string order]
    ? await Roles.PlayAsync(role, order)
    : await CommandLine.RunAsync(args);
