using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Hardware.Tests.Support;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;

namespace Arrakis.Hardware.Tests.Bindings;

/// <summary>Functions that are taken out of the machine under a live binding, and holders that do not let go.</summary>
public sealed class RemovalTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("group")]
    [InlineData("cdev")]
    public async Task Functions_that_are_switched_off_are_revoked_and_let_go(string vfio)
    {
        await using HardwareDaemon daemon = await HardwareDaemon.StartAsync("igbvf", vfio);
        await using ArrakisClient client = await daemon.ConnectAsync();
        await using EchoingBinding echo = await EchoingBinding.BindAsync(client);
        Task switchedOff = Task.Run(() => LabMachine.Igb.Write("sriov_numvfs", "0"), Cancellation);
        Assert.Equal(BindingState.Revoked, (await echo.TakenAsync()).State);
        await echo.DisposeAsync();
        await switchedOff.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Empty(LabMachine.Igb.VirtualFunctions);
        ArrakisException refusal = await Assert.ThrowsAsync<ArrakisException>(() => EchoingBinding.BindAsync(client));
        Assert.Contains(refusal.Code, new[] { ErrorCode.NoFreeVirtualFunction, ErrorCode.DeviceUnavailable }); // As known before, or found out now.
    }

    [Theory]
    [InlineData("group")]
    [InlineData("cdev")]
    public async Task A_card_that_is_taken_out_has_its_functions_revoked_and_let_go(string vfio)
    {
        await using HardwareDaemon daemon = await HardwareDaemon.StartAsync("igbvf", vfio);
        await using ArrakisClient client = await daemon.ConnectAsync();
        await using EchoingBinding first = await EchoingBinding.BindAsync(client);
        await using EchoingBinding second = await EchoingBinding.BindAsync(client);
        await using KernelTraffic traffic = KernelTraffic.Start(first.Nic);
        await traffic.MoreAsync(20);
        Task removed = Task.Run(() => LabMachine.Igb.Write("remove", "1"), Cancellation);
        try
        {
            // The kernel takes one after the other, each once its holder has closed it.
            Assert.Equal(BindingState.Revoked, (await first.TakenAsync()).State);
            await first.DisposeAsync();
            Assert.Equal(BindingState.Revoked, (await second.TakenAsync()).State);
            await second.DisposeAsync();
            await removed.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            Assert.False(LabMachine.Igb.Exists);
            await daemon.UntilNothingIsBoundAsync();
            ArrakisException refusal = await Assert.ThrowsAsync<ArrakisException>(() => EchoingBinding.BindAsync(client));
            Assert.Contains(refusal.Code, new[] { ErrorCode.NoFreeVirtualFunction, ErrorCode.DeviceUnavailable });
        }
        finally
        {
            await first.DisposeAsync();
            await second.DisposeAsync();
            await PutBackAsync(removed);
        }
    }

    [Fact]
    public async Task A_holder_that_keeps_a_function_is_killed_where_the_configuration_says_so()
    {
        await using HardwareDaemon daemon = await HardwareDaemon.StartAsync("igbvf", "group", functions: 1, more: ", \"quarantine\": \"kill\"");
        await using ArrakisClient client = await daemon.ConnectAsync();
        await using AppProcess stubborn = AppProcess.Start(new EchoOrder(daemon.ControlSocket, ServerApi.Native, 1, EchoingBinding.Port, WhenAskedBack.Nothing)); // It never closes what was taken.
        BoundReport bound = await stubborn.ExpectAsync<BoundReport>();
        await client.RevokeAsync(bound.Binding, RevocationMode.Invisible, cancellationToken: Cancellation);
        await daemon.Daemon.UntilAsync(() => daemon.Daemon.Log.Contains("its former holder was killed", StringComparison.Ordinal), "an end of the holder", Cancellation);
        await daemon.Daemon.UntilAsync(() => daemon.Daemon.Log.Contains("is out of quarantine", StringComparison.Ordinal), "an end of the quarantine", Cancellation);
        await using EchoingBinding next = await EchoingBinding.BindAsync(client);
        await using KernelTraffic traffic = KernelTraffic.Start(next.Nic);
        await traffic.MoreAsync(20);
    }

    private static async Task PutBackAsync(Task removed)
    {
        await removed.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await LabMachine.Igb.ComeBackAsync();
    }
}
