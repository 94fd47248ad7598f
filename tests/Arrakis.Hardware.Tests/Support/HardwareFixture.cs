namespace Arrakis.Hardware.Tests.Support;

/// <summary>A daemon for all tests of a class: on an emulated processor it takes a while to start.</summary>
public abstract class HardwareFixture(string kind, string vfio) : IAsyncLifetime
{
    private HardwareDaemon? _daemon;

    /// <summary>"igbvf" or "virtio".</summary>
    public string Kind => kind;

    internal HardwareDaemon Daemon => _daemon ?? throw new InvalidOperationException("The daemon has not started.");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => _daemon = await HardwareDaemon.StartAsync(kind, vfio);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
        {
            await _daemon.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }
}

/// <summary>Virtual functions of the 82576 through VFIO's groups.</summary>
public sealed class IgbvfGroup() : HardwareFixture("igbvf", "group");

/// <summary>Virtual functions of the 82576 through VFIO's character devices.</summary>
public sealed class IgbvfCdev() : HardwareFixture("igbvf", "cdev");

/// <summary>A virtio-net function through VFIO's groups.</summary>
public sealed class VirtioGroup() : HardwareFixture("virtio", "group");

/// <summary>A virtio-net function through VFIO's character devices.</summary>
public sealed class VirtioCdev() : HardwareFixture("virtio", "cdev");
