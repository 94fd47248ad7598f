using Arrakis.UdpLatency.Commands;
using Arrakis.UdpLatency.Processes;

return args is [Role.Argument, string role, string order]
    ? Roles.Play(role, order)
    : await CommandLine.RunAsync(args);
