using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Samples.KvStore.Files;

namespace Arrakis.Samples.KvStore;

/// <summary>The command line, and the server's life from its storage to its end.</summary>
internal static class StoreCommand
{
    private const int Failed = 1;
    private const int Buffers = 16;
    private const int BufferSize = 64 * 1024;
    private const long Megabyte = 1 << 20;

    internal static RootCommand Create()
    {
        var socket = new Option<string?>("--socket") { Description = "The daemon's control socket." };
        var area = new Option<string?>("--area") { Description = "The storage area that the daemon is asked for." };
        var file = new Option<string?>("--file") { Description = "A file instead of an area, for machines without the daemon; made where it is not there." };
        var size = new Option<int>("--file-size") { Description = "MiB of a new file, 1 to 1048576.", DefaultValueFactory = static _ => 256 };
        var listen = new Option<IPEndPoint>("--listen") { Description = "Address and port; port 0 takes a free one.", DefaultValueFactory = static _ => new IPEndPoint(IPAddress.Loopback, 6379), CustomParser = ParseEndPoint };
        var core = new Option<int?>("--core") { Description = "The core that the reactor's thread stays on; otherwise any." };
        var idle = new Option<IdlePolicy>("--idle") { Description = "adaptive (sleeps when nothing comes) or spin (lowest latency).", DefaultValueFactory = static _ => IdlePolicy.Adaptive };
        var root = new RootCommand("A key-value server of the Redis protocol whose log is on a storage area. Ends on Ctrl-C.");
        foreach (Option option in (Option[])[socket, area, file, size, listen, core, idle])
        {
            root.Options.Add(option);
        }

        root.Validators.Add(line =>
        {
            if ((line.GetValue(area) is null) == (line.GetValue(file) is null))
            {
                line.AddError("Name either an --area or a --file.");
            }

            if (line.GetResult(size) is { Errors: var errors } && !errors.Any() && line.GetValue(size) is < 1 or > 1 << 20)
            {
                line.AddError("--file-size takes 1 to 1048576 MiB.");
            }
        });
        root.SetAction((line, cancellation) => RunAsync(
            new StoreOptions(
                line.GetValue(socket),
                line.GetValue(area),
                line.GetValue(file),
                line.GetValue(size),
                line.GetValue(listen)!,
                line.GetValue(core),
                line.GetValue(idle)),
            cancellation));
        return root;
    }

    private static async Task<int> RunAsync(StoreOptions options, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        try
        {
            if (options.File is { } path)
            {
                ServeFile(path, options, stop.Token);
            }
            else
            {
                await ServeAreaAsync(options, stop);
            }

            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (BindingRevokedException e)
        {
            Console.Error.WriteLine($"{e.Cause} Taken: {string.Join(", ", e.Repossessed.Select(static taken => taken.Kind))}.");
            return Failed;
        }
        catch (ArrakisException e)
        {
            Console.Error.WriteLine(e.Cause);
            Console.Error.WriteLine(e.Remedy);
            return Failed;
        }
        catch (Exception e) when (e is LinuxException or IOException or SocketException or UnauthorizedAccessException or InvalidDataException)
        {
            Console.Error.WriteLine(e.Message); // Such as a port that another server has.
            return Failed;
        }
    }

    private static void ServeFile(string path, StoreOptions options, CancellationToken cancellation)
    {
        using var loop = new EventLoop();
        _ = loop.Run(async () =>
        {
            using FileArea area = FileArea.Open(path, options.FileMegabytes * Megabyte, Buffers, BufferSize);
            await Server.ServeAsync(area, static () => { }, options.Listen, cancellation);
            return 0;
        });
    }

    private static async Task ServeAreaAsync(StoreOptions options, CancellationTokenSource stop)
    {
        await using ArrakisClient arrakis = await ArrakisClient.ConnectAsync(options.Socket, stop.Token);
        await using StorageBinding storage = await arrakis.BindStorageAsync(
            new StorageRequest
            {
                Area = options.Area!,
                Buffers = Buffers,
                BufferSize = BufferSize,
                OnRevocationRequested = (request, _) =>
                {
                    // Ending the server disposes the binding, and that gives it back.
                    Console.WriteLine($"The control plane asks for the area within {request.Remaining.TotalMilliseconds:F0} ms: giving it back.");
                    stop.Cancel();
                    return ValueTask.CompletedTask;
                },
            },
            stop.Token);
        using Reactor reactor = Reactor.Start(storage, options.Core, options.Idle);
        await reactor.RunAsync(() => Server.ServeAsync(storage.Area, storage.ThrowIfRevoked, options.Listen, stop.Token));
    }

    private static IPEndPoint? ParseEndPoint(ArgumentResult result)
    {
        if (IPEndPoint.TryParse(result.Tokens[0].Value, out IPEndPoint? address) && result.Tokens[0].Value.Contains(':', StringComparison.Ordinal))
        {
            return address;
        }

        result.AddError($"'{result.Tokens[0].Value}' is no address with a port; write for example 127.0.0.1:6379.");
        return null;
    }
}
