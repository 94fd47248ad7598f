using System.Net;
using System.Net.Sockets;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.Native.Vfio;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using KernelLog = Arrakis.Hardware.Tests.Support.KernelLog;

namespace Arrakis.Hardware.Tests.Bindings;

/// <summary>Several virtual functions of one NIC: neighbours that reach each other by the NIC's own switch, and cannot harm each other.</summary>
public abstract class VirtualFunctionTests(HardwareFixture fixture)
{
    private const ulong NowhereIova = 0x9_0000_0000;
    private const int Functions = 2;
    private const int Cycles = 50; // Of each function, over each of VFIO's interfaces.

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HardwareDaemon Daemon => fixture.Daemon;

    [Fact]
    public async Task Two_processes_of_two_users_exchange_datagrams_through_the_nics_switch()
    {
        const string Server = "10.98.0.20";
        await using ChildProcess echo = StartAs(LabMachine.FirstUser, Programs.UdpEcho, "--socket", Daemon.ControlSocket, "--address", $"{Server}/24");
        Assert.Contains($"echo on {Server}:7", await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation), StringComparison.Ordinal);
        string report = await Command.ReadAsync(
            "setpriv",
            [.. AsUser(LabMachine.SecondUser), Programs.UdpPing, $"{Server}:7", "--socket", Daemon.ControlSocket, "--count", "100", "--timeout", "60"],
            Cancellation);
        Assert.Contains("100 sent, 100 came back the same, 0 corrupt, 0 lost", report, StringComparison.Ordinal);
        await echo.DisposeAsync();
        await Daemon.UntilNothingIsBoundAsync();
    }

    [Theory]
    [InlineData(NowhereIova)]
    [InlineData(0UL)] // Within the neighbour's memory and past one's own.
    public async Task Dma_outside_of_ones_own_memory_is_blocked_and_reported_and_the_neighbour_is_unharmed(ulong target)
    {
        await using ArrakisClient client = await Daemon.ConnectAsync();
        await using EchoingBinding neighbour = await EchoingBinding.BindAsync(client);
        await using NicBinding hostile = await client.BindNicAsync(new NicRequest { Device = HardwareDaemon.Device, Buffers = 512 }, Cancellation);
        Assert.True(hostile.Grant.Memory.Length < neighbour.Nic.Grant.Memory.Length);
        ulong foreign = target != 0 ? target : hostile.Grant.Memory.IovaBase + (ulong)hostile.Grant.Memory.Length;
        var log = KernelLog.FromNow();
        AimReceiveDescriptors(hostile, foreign);

        await Command.RunAsync("ip", ["neighbour", "replace", $"{hostile.Address.Address}", "lladdr", $"{hostile.Mac}", "dev", Daemon.Link], Cancellation);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await Daemon.Daemon.UntilAsync(
            async () =>
            {
                _ = await socket.SendToAsync(new byte[64], new IPEndPoint(IPAddress.Parse($"{hostile.Address.Address}"), EchoingBinding.Port), Cancellation);
                return (await client.ListBindingsAsync(Cancellation)).Any(binding => binding.BindingId == hostile.Grant.BindingId && binding.DmaFaults > 0);
            },
            "a fault reported against the binding",
            Cancellation);

        Assert.Contains($"fault addr 0x{foreign:x}", await log.ReadAsync(), StringComparison.Ordinal);
        Assert.Contains($"Binding {hostile.Grant.BindingId}: the IOMMU has blocked", Daemon.Daemon.Log, StringComparison.Ordinal);
        Assert.Equal(0, (await client.ListBindingsAsync(Cancellation)).Single(binding => binding.BindingId == neighbour.Nic.Grant.BindingId).DmaFaults);
        await using KernelTraffic traffic = KernelTraffic.Start(neighbour.Nic);
        await traffic.MoreAsync(50);
    }

    [Fact]
    public async Task A_function_that_its_former_holder_keeps_open_is_in_quarantine()
    {
        await using ArrakisClient client = await Daemon.ConnectAsync();
        EchoingBinding victim = await EchoingBinding.BindAsync(client);
        int function = victim.Nic.Grant.VirtualFunction;
        using (Descriptor kept = HeldDescriptors.Device())
        {
            await client.RevokeAsync(victim.Nic.Grant.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);
            _ = await victim.TakenAsync();
            await victim.DisposeAsync();
            await Daemon.Daemon.UntilAsync(() => Daemon.Daemon.Log.Contains("is in quarantine", StringComparison.Ordinal), "a quarantine", Cancellation);

            // What the daemon took away stays so by itself. The holder can take it again, but not the memory: that is in no domain.
            using var stubborn = new VfioDevice(kept.Duplicate());
            Assert.Equal(0, HeldDescriptors.ReadAccess(stubborn));
            stubborn.Enable();
            Assert.NotEqual(0, HeldDescriptors.ReadAccess(stubborn));

            // The other function goes to whoever asks, this one to nobody.
            await using EchoingBinding other = await EchoingBinding.BindAsync(client);
            Assert.NotEqual(function, other.Nic.Grant.VirtualFunction);
            ArrakisException refusal = await Assert.ThrowsAsync<ArrakisException>(() => EchoingBinding.BindAsync(client));
            Assert.Equal(ErrorCode.NoFreeVirtualFunction, refusal.Code);
            Assert.Contains("quarantine", refusal.Message, StringComparison.Ordinal);
        }

        await Daemon.Daemon.UntilAsync(() => Daemon.Daemon.Log.Contains("is out of quarantine", StringComparison.Ordinal), "an end of the quarantine", Cancellation);
        await using EchoingBinding next = await EchoingBinding.BindAsync(client);
        Assert.Equal(function, next.Nic.Grant.VirtualFunction);
        await using KernelTraffic traffic = KernelTraffic.Start(next.Nic);
        await traffic.MoreAsync(20);
    }

    [Fact]
    public async Task A_hundred_binds_and_releases_leave_nothing_behind()
    {
        await using ArrakisClient client = await Daemon.ConnectAsync();
        await CycleAllAsync(client, 1); // What is made once is made.
        int pages = HugePages.Free;
        int descriptors = OpenDescriptors.CountOf(Daemon.Daemon.ProcessId);
        int kept = OpenDescriptors.CountOf(Daemon.Daemon.KeeperProcessId);
        await CycleAllAsync(client, Cycles);

        OpenDescriptors.AssertNoMoreThan(descriptors, Daemon.Daemon.ProcessId);
        OpenDescriptors.AssertNoMoreThan(kept, Daemon.Daemon.KeeperProcessId);
        Assert.Equal(pages, HugePages.Free);
        Assert.Equal(0, await PinnedKilobytesAsync());
        Assert.Empty(await client.ListBindingsAsync(Cancellation));
        Assert.Equal(Functions, LabMachine.Igb.VirtualFunctions.Count);
    }

    // At the same time for each function: most of a cycle is the wait for a reset.
    private static Task CycleAllAsync(ArrakisClient client, int cycles) => Task.WhenAll(Enumerable.Range(0, Functions).Select(_ => CycleAsync(client, cycles)));

    private static async Task CycleAsync(ArrakisClient client, int cycles)
    {
        for (int i = 0; i < cycles; i++)
        {
            await using NicBinding nic = await client.BindNicAsync(new NicRequest { Device = HardwareDaemon.Device, QueueSize = 64, Buffers = 256 }, Cancellation);
        }
    }

    private static void AimReceiveDescriptors(NicBinding nic, ulong target)
    {
        using Descriptor memory = HeldDescriptors.Memory(nic);
        using MemoryMapping mapping = MemoryMapping.Map(memory, 0, nic.Grant.Memory.Length, MappingAccess.ReadWrite);
        for (int i = 0; i < nic.Grant.Queues[0].Ring.QueueSize; i++)
        {
            mapping.Store(nic.Grant.Queues[0].Ring.DescriptorArea + 16L * i, target); // The buffer's address comes first.
        }
    }

    private static string[] AsUser(int user) => ["--reuid", $"{user}", "--regid", $"{user}", "--clear-groups"];

    private static ChildProcess StartAs(int user, string program, params string[] arguments) =>
        ChildProcess.Start(Path.GetFileName(program), null, "setpriv", [.. AsUser(user), program, .. arguments], ChildEnding.Signal);

    // Memory that the daemon has mapped for devices is accounted to it (proc_pid_status(5), VmPin).
    private async Task<int> PinnedKilobytesAsync()
    {
        string[] status = await File.ReadAllLinesAsync($"/proc/{Daemon.Daemon.ProcessId}/status", Cancellation);
        string line = status.Single(static line => line.StartsWith("VmPin:", StringComparison.Ordinal));
        return int.Parse(line["VmPin:".Length..^"kB".Length].Trim(), System.Globalization.CultureInfo.InvariantCulture);
    }
}
