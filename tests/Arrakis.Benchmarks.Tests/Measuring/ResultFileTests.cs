using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Measuring.Report;

namespace Arrakis.Benchmarks.Tests.Measuring;

public sealed class ResultFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-result-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_result_takes_the_place_of_the_one_before_and_leaves_nothing_beside()
    {
        string file = Path.Combine(_folder, "made", "result.json");
        foreach (double[] values in (double[][])[[1, 2, 3], [4]])
        {
            ResultFile.Write(file, values, NumbersJson.Default.DoubleArray);

            Assert.Equal(values, JsonSerializer.Deserialize(File.ReadAllText(file), NumbersJson.Default.DoubleArray));
            Assert.Equal([file], Directory.GetFiles(Path.GetDirectoryName(file)!));
        }
    }
}

[JsonSerializable(typeof(double[]))]
internal sealed partial class NumbersJson : JsonSerializerContext;
