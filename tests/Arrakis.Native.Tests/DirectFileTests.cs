using Arrakis.Native.Storage;
using CsCheck;

namespace Arrakis.Native.Tests;

public sealed class DirectFileTests : IDisposable
{
    private const int Length = 1 << 20;

    // One folder on the machine's disk, where access is direct, and one in memory.
    private readonly string _disk = Directory.CreateTempSubdirectory("arrakis-direct-").FullName;
    private readonly string _memory = Directory.CreateDirectory($"/dev/shm/arrakis-direct-{Guid.NewGuid():N}").FullName;

    public void Dispose()
    {
        Directory.Delete(_disk, recursive: true);
        Directory.Delete(_memory, recursive: true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Reads_writes_and_zeros_at_any_place_do_what_an_array_does(bool inMemory)
    {
        string path = Make(inMemory ? _memory : _disk);
        using DirectFile file = DirectFile.Open(path);
        byte[] model = new byte[Length];
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, Length - 1], Gen.Int[0, 600_000], Gen.Byte, (kind, offset, length, value) => (kind, offset, length: Math.Min(length, Length - offset), value)).Sample(
            step =>
            {
                byte[] bytes = new byte[step.length];
                switch (step.kind)
                {
                    case 0:
                        bytes.AsSpan().Fill(step.value);
                        file.Write(bytes, step.offset);
                        bytes.CopyTo(model, step.offset);
                        break;
                    case 1:
                        file.Zero(step.offset, step.length);
                        model.AsSpan(step.offset, step.length).Clear();
                        break;
                }

                file.Read(bytes, step.offset);
                Assert.True(bytes.AsSpan().SequenceEqual(model.AsSpan(step.offset, step.length)));
            },
            seed: "0000000000001",
            iter: 200,
            threads: 1);
        file.Flush();
        Assert.Equal(model, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task Neighbouring_bytes_that_are_written_at_once_are_all_there()
    {
        string path = Make(_disk);
        using DirectFile file = DirectFile.Open(path);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                file.Write([(byte)(thread + 1)], 4 * i + thread);
            }
        })));
        Assert.Equal(Enumerable.Range(0, 800).Select(static i => (byte)(i % 4 + 1)), File.ReadAllBytes(path).Take(800));
    }

    [Fact]
    public void Past_the_files_end_nothing_is_made_up()
    {
        string path = Make(_disk);
        using DirectFile file = DirectFile.Open(path);
        IOException failure = Assert.Throws<IOException>(() => file.Read(new byte[10], Length - 5));
        Assert.Contains(path, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_named()
    {
        IOException failure = Assert.Throws<IOException>(() => DirectFile.Open(Path.Combine(_disk, "none")));
        Assert.Contains("none", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_is_flushed_and_one_that_is_not_there_is_named()
    {
        DirectoryFlush.Run(_disk);
        IOException failure = Assert.Throws<IOException>(() => DirectoryFlush.Run(Path.Combine(_disk, "none")));
        Assert.Contains("none", failure.Message, StringComparison.Ordinal);
    }

    private static string Make(string folder)
    {
        string path = Path.Combine(folder, "file");
        using FileStream file = File.Create(path);
        file.SetLength(Length);
        return path;
    }
}
