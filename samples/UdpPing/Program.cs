using Arrakis.Samples.UdpPing;

return await PingCommand.Create().Parse(args).InvokeAsync();
