using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;
using static Arrakis.ControlPlane.Tests.Areas.Export.ExportBed;

namespace Arrakis.ControlPlane.Tests.Areas.Export;

/// <summary>Ordinary tools on areas that the kernel shows as files.</summary>
public sealed partial class ExportTests : IDisposable
{
    private readonly ExportBed _bed = new();

    public void Dispose()
    {
        string areas = _bed.FolderOfAreas;
        _bed.Dispose();
        Assert.DoesNotContain(areas, File.ReadAllText("/proc/self/mounts"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_dd_and_cp_write_is_on_the_device_and_read_back_by_name()
    {
        Area area = _bed.CreateInPieces("data", Owner);
        string file = await MakeFileAsync("content", 5 * Mebi);
        await Shell.DoAsync(Owner, $"dd if={file} of={_bed.FolderOfAreas}/data bs=64k conv=fsync,notrunc");
        Assert.Equal(File.ReadAllBytes(file), _bed.OnDevice(area));
        Assert.Equal(await HashAsync(file), await HashAsync($"{_bed.FolderOfAreas}/data"));

        string other = await MakeFileAsync("other", 5 * Mebi);
        await Shell.DoAsync(Owner, $"cp {other} {_bed.FolderOfAreas}/data");
        await Shell.DoAsync(Owner, $"cp {_bed.FolderOfAreas}/data {_bed.Folder}/back");
        await Shell.DoAsync(Owner, $"cmp {other} {_bed.Folder}/back");
        await Shell.DoAsync(Owner, $"cmp {other} {_bed.FolderOfAreas}/data");
        Assert.Equal(File.ReadAllBytes(other), _bed.OnDevice(area));
        Assert.Equal(new byte[Mebi], _bed.OnDevice(_bed.Catalogue.Find("between-1")!));
        Assert.Equal(new byte[2 * Mebi], _bed.OnDevice(_bed.Catalogue.Find("between-2")!));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(4097)]
    [InlineData(100_003)]
    public async Task Bytes_at_any_place_are_written_without_those_around_them(int blockSize)
    {
        Area area = _bed.CreateInPieces("data", Owner);
        string file = await MakeFileAsync("content", 5 * Mebi);
        await Shell.DoAsync(Owner, $"cp {file} {_bed.FolderOfAreas}/data");
        string part = await MakeFileAsync("part", blockSize * 3);
        int at = Mebi / blockSize - 1; // Over the end of the first extent.
        await Shell.DoAsync(Owner, $"dd if={part} of={_bed.FolderOfAreas}/data bs={blockSize} seek={at} conv=notrunc");
        byte[] expected = File.ReadAllBytes(file);
        File.ReadAllBytes(part).CopyTo(expected, at * blockSize);
        Assert.Equal(expected, _bed.OnDevice(area));
        Assert.Equal(Convert.ToHexString(SHA256.HashData(expected)), await HashAsync($"{_bed.FolderOfAreas}/data"), ignoreCase: true);
        Assert.Equal("", await Shell.DoAsync(Owner, $"dd if={_bed.FolderOfAreas}/data bs={blockSize} skip={at} count=3 status=none | cmp - {part}"));
    }

    [Fact]
    public async Task A_file_that_is_shorter_or_has_holes_is_followed_by_zeros_as_on_any_file_system()
    {
        Area area = _bed.CreateInPieces("data", Owner);
        await Shell.DoAsync(Owner, $"cp {await MakeFileAsync("content", 5 * Mebi)} {_bed.FolderOfAreas}/data");
        string holes = $"{_bed.Folder}/holes";
        await Shell.DoAsync(Owner, $"printf begin > {holes} && printf middle | dd of={holes} bs=1M seek=2 conv=notrunc status=none && truncate -s 3M {holes}");
        await Shell.DoAsync(Owner, $"cp --sparse=always {holes} {_bed.FolderOfAreas}/data");
        byte[] expected = new byte[5 * Mebi];
        File.ReadAllBytes(holes).CopyTo(expected, 0);
        Assert.Equal(expected, _bed.OnDevice(area));
    }

    [Fact]
    public async Task Ls_and_stat_show_name_owner_length_and_who_may_read()
    {
        _bed.Catalogue.Create("private", 2 * Mebi, Owner);
        _bed.Catalogue.Create("shared", Mebi, Owner);
        _bed.Catalogue.Change("shared", sharedRead: true);
        Assert.Equal(
            $"""
            -rw------- 1 {Owner} 0 2097152 2026-01-02 private
            -rw-r--r-- 1 {Owner} 0 1048576 2026-01-02 shared
            """,
            await Shell.DoAsync(Owner, $"TZ=UTC ls -nl --time-style=long-iso {_bed.FolderOfAreas} | tail -n +2 | sed 's/ 03:04//'"));
        Assert.Equal("dr-xr-xr-x 0 root", await Shell.DoAsync(Other, $"stat -c '%A %u %U' {_bed.FolderOfAreas}"));
        Assert.Equal("regular file 2097152 4096", await Shell.DoAsync(Owner, $"stat -c '%F %s %b' {_bed.FolderOfAreas}/private"));
        Assert.Equal("3145728", await Shell.DoAsync(Owner, $"df --output=size -B1 {_bed.FolderOfAreas} | tail -1 | tr -d ' '"));
    }

    [Fact]
    public async Task Many_areas_are_all_listed_once()
    {
        for (int i = 0; i < 24; i++)
        {
            _bed.Catalogue.Create($"area-{i:00}-{new string('n', 50)}", 1, Owner);
        }

        Assert.Equal(
            string.Join('\n', Enumerable.Range(0, 24).Select(static i => $"area-{i:00}-{new string('n', 50)}")),
            await Shell.DoAsync(Owner, $"ls {_bed.FolderOfAreas}"));
    }

    [Fact]
    public async Task Others_see_and_read_what_is_shared_and_nothing_else()
    {
        _bed.Catalogue.Create("private", Mebi, Owner);
        Area shared = _bed.Catalogue.Create("shared", Mebi, Owner);
        string file = await MakeFileAsync("content", Mebi);
        await Shell.DoAsync(Owner, $"cp {file} {_bed.FolderOfAreas}/shared");
        await Shell.RefuseAsync(Other, $"cat {_bed.FolderOfAreas}/shared", "No such file");

        _bed.Catalogue.Change("shared", sharedRead: true);
        Assert.Equal("shared", await Shell.DoAsync(Other, $"ls {_bed.FolderOfAreas}"));
        await Shell.DoAsync(Other, $"cmp {file} {_bed.FolderOfAreas}/shared");
        await Shell.RefuseAsync(Other, $"dd if=/dev/zero of={_bed.FolderOfAreas}/shared bs=4k count=1 conv=notrunc", "Permission denied");
        await Shell.RefuseAsync(Other, $"truncate -s 0 {_bed.FolderOfAreas}/shared", "Permission denied");
        await Shell.RefuseAsync(Other, $"cat {_bed.FolderOfAreas}/private", "No such file");
        await Shell.RefuseAsync(Other, $"dd if=/dev/zero of={_bed.FolderOfAreas}/private bs=4k count=1", "Permission denied");
        Assert.Equal(File.ReadAllBytes(file), _bed.OnDevice(shared));

        // The kernel has found it for its owner; another user still does not.
        await Shell.DoAsync(Owner, $"cat {_bed.FolderOfAreas}/private > /dev/null");
        await Shell.RefuseAsync(Other, $"cat {_bed.FolderOfAreas}/private", "No such file");
        await Shell.DoAsync(0, $"cmp {file} {_bed.FolderOfAreas}/shared && cat {_bed.FolderOfAreas}/private > /dev/null");
    }

    [Fact]
    public async Task An_area_that_is_bound_is_read_and_not_written()
    {
        Area area = _bed.Catalogue.Create("data", Mebi, Owner);
        _bed.Bound = "data";
        await Shell.RefuseAsync(Owner, $"dd if=/dev/urandom of={_bed.FolderOfAreas}/data bs=4k count=1 conv=notrunc", "Device or resource busy");
        await Shell.RefuseAsync(Owner, $"truncate -s 0 {_bed.FolderOfAreas}/data", "Device or resource busy");
        await Shell.DoAsync(Owner, $"cat {_bed.FolderOfAreas}/data > /dev/null");
        Assert.Equal(new byte[Mebi], _bed.OnDevice(area));
        _bed.Bound = null;
        await Shell.DoAsync(Owner, $"dd if=/dev/urandom of={_bed.FolderOfAreas}/data bs=4k count=1 conv=notrunc");
        Assert.NotEqual(new byte[Mebi], _bed.OnDevice(area));
    }

    [Fact]
    public void What_an_application_writes_is_read_at_once_by_who_has_the_file_open()
    {
        Area area = _bed.Catalogue.Create("data", Mebi, Owner);
        using FileStream reader = File.OpenRead($"{_bed.FolderOfAreas}/data");
        byte[] seen = new byte[8192];
        for (byte round = 1; round < 100; round++)
        {
            byte[] written = new byte[8192];
            written.AsSpan().Fill(round);
            _bed.Device.Write(written, area.Extents[0].Start * 4096);
            Assert.Equal(seen.Length, RandomAccess.Read(reader.SafeFileHandle, seen, 0));
            Assert.Equal(written, seen);
        }
    }

    [Fact]
    public void A_deleted_area_is_gone_for_who_has_it_open_and_its_blocks_are_not_reached()
    {
        Area area = _bed.Catalogue.Create("data", Mebi, Owner);
        using FileStream file = File.Open($"{_bed.FolderOfAreas}/data", FileMode.Open, FileAccess.ReadWrite);
        _bed.Catalogue.Delete("data");
        BlockExtent freed = _bed.Catalogue.TakeUnzeroed(long.MaxValue)!.Value;
        _bed.Catalogue.MarkZeroed(freed);
        Area next = _bed.Catalogue.Create("next", Mebi, Other);
        Assert.Equal(area.Extents, next.Extents);
        Assert.Throws<IOException>(() => RandomAccess.Read(file.SafeFileHandle, new byte[4096], 0));
        Assert.Throws<IOException>(() => RandomAccess.Write(file.SafeFileHandle, new byte[] { 1 }, 0));
        Assert.Equal(new byte[Mebi], _bed.OnDevice(next));
        Assert.False(File.Exists($"{_bed.FolderOfAreas}/data"));
        Assert.True(File.Exists($"{_bed.FolderOfAreas}/next"));
    }

    [Fact]
    public void A_name_that_goes_to_another_area_leads_there_and_growth_is_seen_at_once()
    {
        _bed.Catalogue.Create("a", Mebi, Owner);
        Assert.Equal(Mebi, new FileInfo($"{_bed.FolderOfAreas}/a").Length);
        _bed.Catalogue.Change("a", newName: "b");
        Assert.False(File.Exists($"{_bed.FolderOfAreas}/a"));
        _bed.Catalogue.Create("a", 2 * Mebi, Owner);
        Assert.Equal((2 * Mebi, Mebi), (new FileInfo($"{_bed.FolderOfAreas}/a").Length, new FileInfo($"{_bed.FolderOfAreas}/b").Length));
        using FileStream open = File.OpenRead($"{_bed.FolderOfAreas}/a");
        _bed.Catalogue.Grow("a", 3 * Mebi);
        Assert.Equal(4096, RandomAccess.Read(open.SafeFileHandle, new byte[4096], 3 * Mebi - 4096));
        Assert.Equal(3 * Mebi, RandomAccess.GetLength(open.SafeFileHandle));
    }

    [Fact]
    public async Task A_write_past_the_end_finds_no_space_and_touches_no_neighbour()
    {
        Area area = _bed.Catalogue.Create("data", Mebi, Owner);
        Area neighbour = _bed.Catalogue.Create("neighbour", Mebi, Other);
        await Shell.RefuseAsync(Owner, $"dd if=/dev/urandom of={_bed.FolderOfAreas}/data bs=300k count=8 conv=notrunc", "No space left on device");
        await Shell.RefuseAsync(Owner, $"truncate -s 2M {_bed.FolderOfAreas}/data", "File too large");
        await Shell.RefuseAsync(Owner, $"printf x >> {_bed.FolderOfAreas}/data", "No space left on device");
        Assert.Equal(new byte[Mebi], _bed.OnDevice(neighbour));
        Assert.DoesNotContain(0, _bed.OnDevice(area).Chunk(4096).Select(static block => block.Max()).Select(static max => (int)max));
    }

    [Fact]
    public async Task Areas_are_not_made_renamed_or_removed_as_files_are()
    {
        _bed.Catalogue.Create("data", Mebi, Owner);
        foreach (string command in (string[])["rm -f", "chmod 777", $"chown {Other}"])
        {
            await Shell.RefuseAsync(0, $"{command} {_bed.FolderOfAreas}/data", "Operation not permitted");
        }

        await Shell.RefuseAsync(0, $"ln {_bed.FolderOfAreas}/data {_bed.FolderOfAreas}/new", "Operation not permitted");
        await Shell.RefuseAsync(0, $"touch {_bed.FolderOfAreas}/new", "Operation not permitted");
        await Shell.RefuseAsync(0, $"mkdir {_bed.FolderOfAreas}/new", "Operation not permitted");
        await Shell.RefuseAsync(0, $"mv {_bed.FolderOfAreas}/data {_bed.FolderOfAreas}/new", "Operation not permitted");
        Assert.Equal("data", await Shell.DoAsync(Owner, $"ls {_bed.FolderOfAreas}"));
        await Shell.DoAsync(Owner, $"touch {_bed.FolderOfAreas}/data");
    }

    [Fact]
    public async Task A_hole_that_is_punched_reads_as_zeros()
    {
        Area area = _bed.CreateInPieces("data", Owner);
        string file = await MakeFileAsync("content", 5 * Mebi);
        await Shell.DoAsync(Owner, $"cp {file} {_bed.FolderOfAreas}/data && fallocate -p -o 1000000 -l 2500001 {_bed.FolderOfAreas}/data && fallocate -l 5M {_bed.FolderOfAreas}/data && sync {_bed.FolderOfAreas}/data");
        await Shell.RefuseAsync(Owner, $"fallocate -l 6M {_bed.FolderOfAreas}/data", "No space left on device");
        byte[] expected = File.ReadAllBytes(file);
        expected.AsSpan(1000000, 2500001).Clear();
        Assert.Equal(expected, _bed.OnDevice(area));
    }

    [Fact]
    public async Task Several_users_write_at_once()
    {
        string[] files = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => MakeFileAsync($"content-{i}", 3 * Mebi)));
        Area[] areas = [.. Enumerable.Range(0, 6).Select(i => _bed.Catalogue.Create($"area-{i}", 3 * Mebi, Owner + (uint)i))];
        await Task.WhenAll(areas.Select((area, i) => Shell.DoAsync(area.Owner, $"dd if={files[i]} of={_bed.FolderOfAreas}/{area.Name} bs={1000 + 777 * i} conv=notrunc status=none")));
        for (int i = 0; i < areas.Length; i++)
        {
            Assert.Equal(File.ReadAllBytes(files[i]), _bed.OnDevice(areas[i]));
        }
    }

    [Fact]
    public async Task Unmounting_ends_what_users_have_open_and_a_new_mount_serves_again()
    {
        _bed.Catalogue.Create("data", Mebi, Owner);
        using (FileStream open = File.OpenRead($"{_bed.FolderOfAreas}/data"))
        {
            _bed.Unmount();
            Assert.False(_bed.IsMounted());
            Assert.Throws<IOException>(() => RandomAccess.Read(open.SafeFileHandle, new byte[4096], 0));
        }

        Assert.Equal("", await Shell.DoAsync(Owner, $"ls {_bed.FolderOfAreas}"));
        _bed.Mount();
        Assert.Equal("data", await Shell.DoAsync(Owner, $"ls {_bed.FolderOfAreas}"));
    }

    [Fact]
    public async Task What_a_killed_daemon_left_mounted_is_replaced()
    {
        _bed.Catalogue.Create("data", Mebi, Owner);
        _bed.Unmount();
        for (int i = 0; i < 2; i++)
        {
            // A process that dies closes its channel and unmounts nothing.
            using FileStream channel = File.Open("/dev/fuse", FileMode.Open, FileAccess.ReadWrite);
            Assert.Equal(0, Mount("left", _bed.FolderOfAreas, "fuse", 0, $"fd={channel.SafeFileHandle.DangerousGetHandle()},rootmode=40555,user_id=0,group_id=0"));
        }

        await Shell.RefuseAsync(0, $"ls {_bed.FolderOfAreas}", "Transport endpoint is not connected");
        _bed.Mount();
        Assert.Equal("data", await Shell.DoAsync(Owner, $"ls {_bed.FolderOfAreas}"));
        _bed.Unmount();
        Assert.False(_bed.IsMounted());
    }

    [Fact]
    public void A_folder_that_cannot_be_mounted_is_said()
    {
        _bed.Unmount();
        Directory.Delete(_bed.FolderOfAreas);
        File.WriteAllText(_bed.FolderOfAreas, "a file");
        ArrakisException refusal = Assert.Throws<ArrakisException>(_bed.Mount);
        Assert.Equal(ErrorCode.DeviceUnavailable, refusal.Code);
        Assert.Contains(_bed.FolderOfAreas, refusal.Cause, StringComparison.Ordinal);
    }

    private static async Task<string> HashAsync(string file) => (await Shell.DoAsync(Owner, $"sha256sum {file}")).Split(' ')[0];

    private async Task<string> MakeFileAsync(string name, int length)
    {
        string path = Path.Combine(_bed.Folder, name);
        await Shell.DoAsync(Owner, $"head -c {length} /dev/urandom > {path}");
        return path;
    }

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Mount(string source, string target, string kind, nuint flags, string data);
}
