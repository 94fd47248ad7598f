using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Vhost;
using Microsoft.Extensions.Logging;

namespace Arrakis.SoftDevice.Management;

/// <summary>
/// A whole device: the polling thread, and the control thread that serves the sockets. Disposal ends it and removes
/// the sockets.
/// </summary>
internal sealed class SoftwareDevice : IDisposable
{
    private const int StopToken = 0;
    private const int AttentionToken = 1;
    private const int FunctionTokens = 1000; // two for each function
    private const int BlockFunctionTokens = 5000;
    private const int ManagementTokens = 10_000;

    private readonly DeviceOptions _options;
    private readonly DeviceCore _core;
    private readonly PollingLoop _loop;
    private readonly PortConfigurator _ports;
    private readonly Epoll _epoll = new();
    private readonly EventFd _stop = new();
    private readonly List<FunctionServer> _functions = [];
    private readonly List<FunctionServer> _blockFunctions = [];
    private readonly BlockMedium? _medium;
    private readonly ManagementServer _management;
    private readonly ILogger _log;

    /// <summary>Starts the polling thread and listens.</summary>
    /// <exception cref="LinuxException">A socket or the core cannot be had.</exception>
    public SoftwareDevice(DeviceOptions options, ILogger log, TimeProvider time)
    {
        _options = options;
        _log = log;
        _ = Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _medium = options.Blocks is { } blocks ? BlockMedium.Open(blocks) : null;
        _core = new DeviceCore(options.Functions, Clock.Machine, _medium, options.Blocks?.Functions ?? 0);
        _loop = new PollingLoop(_core, options.Processor, options.Idle);
        _loop.Start();
        _ports = new PortConfigurator(_core, _loop);
        _epoll.Add(_stop.Descriptor, StopToken);
        _epoll.Add(_core.Attention.Descriptor, AttentionToken);
        for (int index = 0; index < options.Functions; index++)
        {
            _functions.Add(new FunctionServer(
                FunctionPath(index), new NetworkFunction(_core.Functions[index], _loop), _loop, _epoll, FunctionTokens + 2 * index, options.MaxQueueSize, new PeerLog(log, time)));
        }

        List<BlockFunction> blockFunctions = [.. _core.Blocks.Select(port => new BlockFunction(port, _loop))];
        for (int index = 0; index < blockFunctions.Count; index++)
        {
            _blockFunctions.Add(new FunctionServer(
                BlockFunctionPath(index), blockFunctions[index], _loop, _epoll, BlockFunctionTokens + 2 * index, options.MaxQueueSize, new PeerLog(log, time)));
        }

        // Last: who can connect here finds the functions' sockets too.
        var blockPorts = new BlockConfigurator(blockFunctions, _medium);
        _management = new ManagementServer(ManagementPath, _ports, blockPorts, _epoll, ManagementTokens, new PeerLog(log, time));
        log.LogInformation("{Functions} virtual functions in {Directory}", options.Functions, options.Directory);
        if (options.Blocks is { } shown)
        {
            log.LogInformation(
                "{Functions} block functions on {File}, {Bytes} bytes, as {Medium}",
                shown.Functions,
                shown.File,
                _medium!.Length,
                _medium.Disk is null ? "memory" : "a disk");
        }
    }

    private string ManagementPath => Path.Combine(_options.Directory, "manage.sock");

    /// <summary>Serves the sockets until <see cref="Stop"/>.</summary>
    public void Run()
    {
        Span<int> tokens = stackalloc int[32];
        while (true)
        {
            int count = _epoll.Wait(tokens, -1);
            foreach (int token in tokens[..count])
            {
                if (token == StopToken)
                {
                    _log.LogInformation("stopping");
                    return;
                }

                OnReady(token);
            }
        }
    }

    /// <summary>Has <see cref="Run"/> return. Any thread.</summary>
    public void Stop() => _stop.Signal();

    /// <inheritdoc/>
    public void Dispose()
    {
        _management.Dispose();
        File.Delete(ManagementPath);
        foreach (FunctionServer function in _functions.Concat(_blockFunctions))
        {
            function.Dispose();
        }

        for (int index = 0; index < _blockFunctions.Count; index++)
        {
            File.Delete(BlockFunctionPath(index));
        }

        for (int index = 0; index < _options.Functions; index++)
        {
            File.Delete(FunctionPath(index));
        }

        _ports.Dispose();
        _loop.Dispose();
        _core.Dispose();
        _medium?.Dispose();
        _epoll.Dispose();
        _stop.Dispose();
    }

    private void OnReady(int token)
    {
        if (token >= ManagementTokens)
        {
            _management.OnReady(token);
        }
        else if (token >= BlockFunctionTokens)
        {
            _blockFunctions[(token - BlockFunctionTokens) / 2].OnReady(token);
        }
        else if (token >= FunctionTokens)
        {
            _functions[(token - FunctionTokens) / 2].OnReady(token);
        }
        else
        {
            OnAttention();
        }
    }

    private void OnAttention()
    {
        _ = _core.Attention.TryDrain();
        foreach (FunctionServer function in _functions.Concat(_blockFunctions))
        {
            function.CheckFault();
        }

        if (_core.Tester.TryTakeResult(out Contract.Control.TestResult result))
        {
            _management.OnTestResult(result);
        }
    }

    private string FunctionPath(int index) => Path.Combine(_options.Directory, $"vf{index}.sock");

    private string BlockFunctionPath(int index) => Path.Combine(_options.Directory, $"blk{index}.sock");
}
