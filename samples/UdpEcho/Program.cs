using Arrakis.Samples.UdpEcho;

return await EchoCommand.Create().Parse(args).InvokeAsync();
