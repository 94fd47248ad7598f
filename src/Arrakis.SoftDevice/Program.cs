using System.CommandLine;
using System.Numerics;
using System.Runtime.InteropServices;
using Arrakis.Native;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Management;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Rings;
using Microsoft.Extensions.Logging;

var directory = new Option<string>("--directory") { Description = "Where the device listens: manage.sock and vf0.sock, vf1.sock ...", Required = true };
var functions = new Option<int>("--functions") { Description = $"Virtual functions, to {EthernetSwitch.MaxFunctions}; 0 where there are block functions only.", Required = true };
var processor = new Option<int?>("--core") { Description = "Core of the polling thread; any where not given." };
var idle = new Option<string>("--idle") { Description = "What the polling thread does when nothing comes: poll on, or sleep until a doorbell rings.", DefaultValueFactory = _ => "adaptive" };
idle.AcceptOnlyFromAmong("spin", "adaptive");
var maxQueueSize = new Option<int>("--queue-size-max") { Description = "The longest ring that a driver may have.", DefaultValueFactory = _ => RingLayout.MaxQueueSize };
var blockFile = new Option<string?>("--block-file") { Description = "A file or block device that block functions are parts of." };
var blockSize = new Option<int>("--block-size") { Description = "Bytes of its blocks.", DefaultValueFactory = _ => 4096 };
var blockFunctions = new Option<int>("--block-functions") { Description = $"Block functions, blk0.sock, blk1.sock ..., to {BlockOptions.MaxFunctions}.", DefaultValueFactory = _ => 1 };
var blockBacking = new Option<string>("--block-backing")
{
    Description = "How the file is reached: mapped, which keeps what is written where the medium does; as a disk, past the page cache; or as its file system suggests.",
    DefaultValueFactory = _ => "auto",
};
blockBacking.AcceptOnlyFromAmong("auto", "memory", "disk");
var blockKernelThread = new Option<bool>("--block-kernel-thread") { Description = "A thread of the kernel looks for a disk's requests (io_uring's SQPOLL); it needs a core." };
functions.Validators.Add(result =>
{
    int least = result.GetResult(blockFile) is null ? 1 : 0;
    if (result.GetValueOrDefault<int>() is var number && (number < least || number > EthernetSwitch.MaxFunctions))
    {
        result.AddError($"--functions takes {least} to {EthernetSwitch.MaxFunctions}.");
    }
});
blockSize.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is var size && (size is < BlockOptions.MinBlockSize or > BlockOptions.MaxBlockSize || !BitOperations.IsPow2(size)))
    {
        result.AddError($"--block-size takes a power of two from {BlockOptions.MinBlockSize} to {BlockOptions.MaxBlockSize}.");
    }
});
blockFunctions.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 1 or > BlockOptions.MaxFunctions)
    {
        result.AddError($"--block-functions takes 1 to {BlockOptions.MaxFunctions}.");
    }
});
maxQueueSize.Validators.Add(result =>
{
    if (!RingLayout.IsValidQueueSize(result.GetValueOrDefault<int>()))
    {
        result.AddError("--queue-size-max takes a power of two from 2 to 32768.");
    }
});

var root = new RootCommand("A device in software: virtual functions by vhost-user, a switch, an uplink and a tester; and block functions.")
{
    directory, functions, processor, idle, maxQueueSize, blockFile, blockSize, blockFunctions, blockBacking, blockKernelThread,
};
root.SetAction(parsed => Run(new DeviceOptions(
    parsed.GetRequiredValue(directory),
    parsed.GetRequiredValue(functions),
    parsed.GetValue(processor),
    parsed.GetValue(idle) == "spin" ? IdlePolicy.Spin : IdlePolicy.Adaptive,
    parsed.GetValue(maxQueueSize),
    parsed.GetValue(blockFile) is not { } file ? null : new BlockOptions(
        file,
        parsed.GetValue(blockSize),
        parsed.GetValue(blockFunctions),
        Enum.Parse<BlockBacking>(parsed.GetValue(blockBacking)!, ignoreCase: true),
        parsed.GetValue(blockKernelThread)))));
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
