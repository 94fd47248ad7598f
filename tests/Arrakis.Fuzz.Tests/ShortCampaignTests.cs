namespace Arrakis.Fuzz.Tests;

/// <summary>The short form of each campaign, with fixed seeds; docs/fuzzing.md tells of the long one.</summary>
public sealed class ShortCampaignTests
{
    public static TheoryData<string, int> Targets()
    {
        TheoryData<string, int> data = [];
        foreach (FuzzTarget target in Campaign.Targets())
        {
            // Each run of a session makes sockets, mappings and thread handovers.
            data.Add(target.Name, target.Name == "vhost-user" ? 1_500 : 20_000);
            (target as IDisposable)?.Dispose();
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void No_mutated_input_breaks_a_promise(string name, int inputs)
    {
        FuzzTarget target = Campaign.Targets().Single(target => target.Name == name);
        using var cleanup = target as IDisposable;
        Campaign.Run(target, seed: 1, inputs);
    }

    [Fact]
    public void The_same_seed_gives_the_same_inputs()
    {
        byte[][] corpus = [[1, 2, 3, 4], new byte[100]];
        var first = new Mutator(7, corpus);
        var second = new Mutator(7, corpus);
        Assert.All(Enumerable.Range(0, 500), _ => Assert.Equal(first.Next(), second.Next()));
    }
}
