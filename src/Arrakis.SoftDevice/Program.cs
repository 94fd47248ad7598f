using System.CommandLine;
using System.Runtime.InteropServices;
using Arrakis.Native;
using Arrakis.SoftDevice.Management;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Rings;
using Microsoft.Extensions.Logging;

var directory = new Option<string>("--directory") { Description = "Where the device listens: manage.sock and vf0.sock, vf1.sock ...", Required = true };
var functions = new Option<int>("--functions") { Description = $"Virtual functions, 1 to {EthernetSwitch.MaxFunctions}.", Required = true };
var processor = new Option<int?>("--core") { Description = "Core of the polling thread; any where not given." };
var idle = new Option<string>("--idle") { Description = "What the polling thread does when nothing comes: poll on, or sleep until a doorbell rings.", DefaultValueFactory = _ => "adaptive" };
idle.AcceptOnlyFromAmong("spin", "adaptive");
var maxQueueSize = new Option<int>("--queue-size-max") { Description = "The longest ring that a driver may have.", DefaultValueFactory = _ => RingLayout.MaxQueueSize };
functions.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 1 or > EthernetSwitch.MaxFunctions)
    {
        result.AddError($"--functions takes 1 to {EthernetSwitch.MaxFunctions}.");
    }
});
maxQueueSize.Validators.Add(result =>
{
    if (!RingLayout.IsValidQueueSize(result.GetValueOrDefault<int>()))
    {
        result.AddError("--queue-size-max takes a power of two from 2 to 32768.");
    }
});

var root = new RootCommand("A network device in software: virtual functions by vhost-user, a switch, an uplink and a tester.")
{
    directory, functions, processor, idle, maxQueueSize,
};
root.SetAction(parsed => Run(new DeviceOptions(
    parsed.GetRequiredValue(directory),
    parsed.GetRequiredValue(functions),
    parsed.GetValue(processor),
    parsed.GetValue(idle) == "spin" ? IdlePolicy.Spin : IdlePolicy.Adaptive,
    parsed.GetValue(maxQueueSize))));
return root.Parse(args).Invoke(new InvocationConfiguration { ProcessTerminationTimeout = null });

static int Run(DeviceOptions options)
{
    using ILoggerFactory logging = LoggerFactory.Create(builder => builder
        .AddSimpleConsole(console => console.SingleLine = true)
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
    ILogger log = logging.CreateLogger("arrakis-softdevice");
    try
    {
        using var device = new SoftwareDevice(options, log, TimeProvider.System);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        device.Run();
        return 0;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            device.Stop();
        }
    }
    catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException or ArgumentException)
    {
        log.LogCritical("The device cannot start: {Cause}", e.Message);
        return 1;
    }
}
