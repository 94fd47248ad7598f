using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Json;
using Arrakis.ControlPlane.Tests.ControlSocket;
using Arrakis.Native;
using Arrakis.TestBed.Daemon;
using static Arrakis.ControlPlane.Tests.Areas.Export.ExportBed;

namespace Arrakis.ControlPlane.Tests.Areas.Export;

/// <summary>A daemon whose areas are made with arrakisctl and used with ordinary tools.</summary>
public sealed class DaemonExportTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-areas-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Areas_are_files_while_the_daemon_runs_and_again_after_it_was_killed()
    {
        string backing = Path.Combine(_folder, "backing");
        using (FileStream file = File.Create(backing))
        {
            file.SetLength(DeviceLength);
        }

        var setup = new DaemonSetup
        {
            BlockFile = backing,
            ShowsAreasAsFiles = true,
            Policy = $$"""
                {
                  "rules": [
                    { "name": "root", "uid": 0, "devices": ["*"], "areas": ["*"], "virtualFunctions": 64, "memoryBytes": 4294967296, "queueSize": 32768, "macs": "local", "administrator": true },
                    { "name": "owner", "uid": {{Owner}}, "devices": ["*"], "areas": ["*"], "virtualFunctions": 1, "memoryBytes": 1073741824, "queueSize": 1024 }
                  ]
                }
                """,
        };
        string areas;
        await using (DaemonProcess daemon = await DaemonProcess.StartAsync(setup))
        {
            areas = daemon.AreasFolder;
            string ctl = $"{Programs.Control} --socket {daemon.ControlSocket} area";
            await Shell.DoAsync(0, $"{ctl} create data --size 3M --owner {Owner} && {ctl} create other --size 1M");
            Assert.Equal("data", await Shell.DoAsync(Owner, $"ls {areas}"));
            await Shell.DoAsync(Owner, $"head -c 3M /dev/urandom > {areas}/data && sync {areas}/data");
            string hash = await Shell.DoAsync(Owner, $"sha256sum < {areas}/data");

            using (RawClient holder = await AsUser.GreetAsync(daemon.ControlSocket, Owner))
            {
                await holder.SendAsync(MessageCodec.Encode(new BindStorageRequest { Id = holder.NextId(), Area = "data" }));
                (ControlReply? reply, IReadOnlyList<Descriptor> descriptors) = await holder.ReceiveWithAsync();
                StorageGrant grant = Assert.IsType<BindStorageReply>(reply).Grant;
                await Shell.RefuseAsync(Owner, $"dd if=/dev/zero of={areas}/data bs=4k count=1 conv=notrunc", "Device or resource busy");
                Assert.Equal(hash, await Shell.DoAsync(Owner, $"sha256sum < {areas}/data"));
                _ = Assert.IsType<DoneReply>(await holder.AskAsync(new ReleaseRequest { Id = holder.NextId(), BindingId = grant.BindingId, Generation = grant.Generation }));
                Assert.All(descriptors, static descriptor => descriptor.Dispose());
            }

            await daemon.KillAsync();
            await Shell.RefuseAsync(Owner, $"ls {areas}", "Transport endpoint is not connected");
            await daemon.StartAgainAsync();
            Assert.Equal(hash, await Shell.DoAsync(Owner, $"sha256sum < {areas}/data"));

            await Shell.DoAsync(0, $"{ctl} rename data moved && {ctl} share moved && {ctl} chown moved {Other}");
            Assert.Equal(hash, await Shell.DoAsync(Owner, $"sha256sum < {areas}/moved"));
            await Shell.RefuseAsync(Owner, $"dd if=/dev/zero of={areas}/moved bs=4k count=1 conv=notrunc", "Permission denied");
            await Shell.DoAsync(0, $"{ctl} delete moved && {ctl} create anew --size 16M");
            Assert.Equal("0", await Shell.DoAsync(0, $"tr -d '\\0' < {areas}/anew | wc -c"));
        }

        Assert.DoesNotContain(areas, File.ReadAllText("/proc/self/mounts"), StringComparison.Ordinal);
    }
}
