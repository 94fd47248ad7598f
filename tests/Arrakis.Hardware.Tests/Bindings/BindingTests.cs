using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.Native.Vfio;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Hardware.Tests.Bindings;

/// <summary>A binding of a function, whatever its model: traffic with the kernel's stack, the polling path, revocation, crashes.</summary>
public abstract class BindingTests(HardwareFixture fixture)
{
    private const int Datagrams = 50;
    private const ulong MarkOfTenant = 0x6172_7261_6b69_7301;
    private const VirtioFeatures Checksums = VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum;

    // Nothing may suspend the polling thread under its filter: no tiered compilation, no collection.
    private static readonly Dictionary<string, string> s_steady = new() { ["DOTNET_TieredCompilation"] = "0", ["DOTNET_GCgen0size"] = "0x8000000" };

    private static readonly TimeSpan s_freeWithin = TimeSpan.FromSeconds(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HardwareDaemon Daemon => fixture.Daemon;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_kernel_gets_back_what_it_sends(bool other)
    {
        bool isIgb = fixture.Kind == "igbvf";
        RingFormat asked = other && !isIgb ? RingFormat.Packed : RingFormat.Split;
        VirtioFeatures offloads = other && isIgb ? Checksums : VirtioFeatures.None;
        await using ArrakisClient client = await Daemon.ConnectAsync();
        await using EchoingBinding echo = await EchoingBinding.BindAsync(client, asked, offloads);
        Assert.All(echo.Nic.Grant.Queues, queue => Assert.Equal((isIgb ? RingFormat.Igb : asked, true), (queue.Ring.Format, queue.Doorbell is not null)));
        Assert.Equal(offloads, echo.Nic.Grant.Features & Checksums);

        await using AppProcess kernel = AppProcess.Start(new KernelClientOrder(echo.Nic.Address.Address.ToString(), EchoingBinding.Port, Datagrams, 1));
        Assert.Equal(Datagrams, (await kernel.ExpectAsync<DoneReport>()).Count);
    }

    [Theory]
    [InlineData(ServerApi.Native)]
    [InlineData(ServerApi.Socket)]
    public async Task Datagrams_are_answered_without_a_system_call_and_without_an_allocation(ServerApi api)
    {
        await ProveAsync(api);
        await Daemon.UntilNothingIsBoundAsync();
    }

    private async Task ProveAsync(ServerApi api)
    {
        await using AppProcess app = AppProcess.Start(new FilteredEchoOrder(Daemon.ControlSocket, api, 1, EchoingBinding.Port), environment: s_steady);
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        await using KernelTraffic traffic = KernelTraffic.Start(bound.Address, EchoingBinding.Port);
        await traffic.MoreAsync(300);
        _ = await app.AskAsync<ProofReport>("rehearse");
        _ = await app.AskAsync<FilteredReport>("filter");
        await traffic.MoreAsync(1000);
        ProofReport proof = await app.AskAsync<ProofReport>("finish");
        Assert.True(proof.Datagrams >= 1000, $"Only {proof.Datagrams} were answered under the filter.");
        Assert.Equal(proof.AllocatedBefore, proof.AllocatedAfter);
    }

    [Fact]
    public async Task An_invisible_revocation_under_traffic_is_told_and_the_next_tenant_finds_nothing_of_it()
    {
        int freeBefore = HugePages.Free;
        await using ArrakisClient client = await Daemon.ConnectAsync();
        await using EchoingBinding victim = await EchoingBinding.BindAsync(client);
        Mark(victim.Nic);
        await using (KernelTraffic traffic = KernelTraffic.Start(victim.Nic))
        {
            await traffic.MoreAsync(50);
            await client.RevokeAsync(victim.Nic.Grant.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);
            BindingRevokedException taken = await victim.TakenAsync();
            Assert.Equal((victim.Nic.Grant.BindingId, BindingState.Revoked), (taken.BindingId, taken.State));
            Assert.Contains(taken.Repossessed, static entry => entry.Kind == ResourceKind.QueueMemory);
        }

        // The memory is back although the victim has it mapped still.
        Assert.Equal(freeBefore, HugePages.Free);

        // Nor may the function touch memory, although the victim has the function's file still.
        using (var held = new VfioDevice(HeldDescriptors.Device()))
        {
            Assert.Equal(0, HeldDescriptors.ReadAccess(held));
        }

        await victim.DisposeAsync();
        await using EchoingBinding next = await EchoingBinding.BindAsync(client);
        Assert.Equal((victim.Nic.Grant.VirtualFunction, victim.Nic.Grant.Generation + 1), (next.Nic.Grant.VirtualFunction, next.Nic.Grant.Generation));
        Assert.False(HasMark(next.Nic));
        await using KernelTraffic again = KernelTraffic.Start(next.Nic);
        await again.MoreAsync(50);
    }

    [Fact]
    public async Task A_visible_revocation_that_is_not_heeded_is_an_abort()
    {
        await using ArrakisClient client = await Daemon.ConnectAsync();
        await using EchoingBinding holder = await EchoingBinding.BindAsync(client);
        await client.RevokeAsync(holder.Nic.Grant.BindingId, RevocationMode.Visible, TimeSpan.FromMilliseconds(300), Cancellation);
        Assert.Equal(BindingState.Aborted, (await holder.TakenAsync()).State);
    }

    [Fact]
    public async Task A_killed_daemon_costs_no_traffic_and_its_successor_adopts_and_revokes()
    {
        ArrakisClient client = await Daemon.ConnectAsync();
        await using EchoingBinding echo = await EchoingBinding.BindAsync(client);
        await using KernelTraffic traffic = KernelTraffic.Start(echo.Nic);
        await traffic.MoreAsync(20);
        await Daemon.Daemon.KillAsync();
        await traffic.MoreAsync(100);
        await Daemon.Daemon.StartAgainAsync(Cancellation);
        await using ArrakisClient successor = await Daemon.ConnectAsync();
        BindingDescription adopted = Assert.Single(await successor.ListBindingsAsync(Cancellation));
        Assert.Equal((echo.Nic.Grant.BindingId, BindingState.Active, true), (adopted.BindingId, adopted.State, adopted.LinkUp));
        await traffic.MoreAsync(50);

        await successor.RevokeAsync(adopted.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);
        Assert.Equal(BindingState.Revoked, (await echo.TakenAsync()).State);
        await echo.DisposeAsync();
        await client.DisposeAsync();
        await using EchoingBinding next = await EchoingBinding.BindAsync(successor);
        await using KernelTraffic again = KernelTraffic.Start(next.Nic);
        await again.MoreAsync(20);
    }

    [Fact]
    public async Task A_killed_applications_function_is_reset_and_free_within_a_second()
    {
        await using ArrakisClient client = await Daemon.ConnectAsync();
        TimeSpan bind = await TimeOfBindAsync(client);

        // With the others bound, the next tenant gets the function that is measured.
        await using EchoingBinding? other = fixture.Kind == "igbvf" ? await EchoingBinding.BindAsync(client) : null;
        int before = other is null ? 0 : 1;
        await using AppProcess app = AppProcess.Start(new EchoOrder(Daemon.ControlSocket, ServerApi.Native, 1, EchoingBinding.Port, WhenAskedBack.Nothing));
        BoundReport bound = await app.ExpectAsync<BoundReport>();
        long start = TimeProvider.System.GetTimestamp();
        app.Signal(Signals.Kill);
        while ((await client.ListBindingsAsync(Cancellation)).Count > before)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_freeWithin, "The binding goes on.");
        }

        TimeSpan ended = TimeProvider.System.GetElapsedTime(start);
        await using EchoingBinding next = await EchoingBinding.BindAsync(client); // Waits for the function's reset.
        TimeSpan free = TimeProvider.System.GetElapsedTime(start) - bind;
        TestContext.Current.TestOutputHelper?.WriteLine($"Taken down {ended.TotalMilliseconds:0} ms and free {free.TotalMilliseconds:0} ms after the kill; a bind takes {bind.TotalMilliseconds:0} ms.");
        Assert.Equal(bound.Function, next.Nic.Grant.VirtualFunction);
        Assert.True(free < s_freeWithin, $"It was free only {free.TotalMilliseconds:0} ms after the kill.");
        await using KernelTraffic traffic = KernelTraffic.Start(next.Nic);
        await traffic.MoreAsync(20);
    }

    // Of a function that is free already, by code that has run before.
    private static async Task<TimeSpan> TimeOfBindAsync(ArrakisClient client)
    {
        await using (await EchoingBinding.BindAsync(client))
        {
            // Now it has.
        }

        await Task.Delay(s_freeWithin, Cancellation);
        long start = TimeProvider.System.GetTimestamp();
        await using EchoingBinding binding = await EchoingBinding.BindAsync(client);
        return TimeProvider.System.GetElapsedTime(start);
    }

    private static void Mark(NicBinding nic)
    {
        using (Descriptor memory = HeldDescriptors.Memory(nic))
        {
            using MemoryMapping mapping = MemoryMapping.Map(memory, 0, nic.Grant.Memory.Length, MappingAccess.ReadWrite);
            mapping.Store(mapping.Length - sizeof(ulong), MarkOfTenant);
        }

        Assert.True(HasMark(nic));
    }

    private static bool HasMark(NicBinding nic)
    {
        using Descriptor memory = HeldDescriptors.Memory(nic);
        using MemoryMapping mapping = MemoryMapping.Map(memory, 0, nic.Grant.Memory.Length, MappingAccess.Read);
        for (long i = 0; i < mapping.Length; i += sizeof(ulong))
        {
            if (mapping.LoadUInt64(i) == MarkOfTenant)
            {
                return true;
            }
        }

        return false;
    }
}
