using System.Globalization;

namespace Arrakis.SystemTests.Support;

/// <summary>How long the churn tests run, from the environment; the default is the short form.</summary>
internal static class ChurnSettings
{
    /// <summary>Number of bind rounds.</summary>
    public const string RoundsVariable = "ARRAKIS_CHURN_ROUNDS";

    /// <summary>Number of kills.</summary>
    public const string KillsVariable = "ARRAKIS_CHURN_KILLS";

    /// <summary>Seed of all random choices.</summary>
    public const string SeedVariable = "ARRAKIS_CHURN_SEED";

    public static int Rounds => Read(RoundsVariable, 1_000);

    public static int Kills => Read(KillsVariable, 200);

    public static int Seed => Read(SeedVariable, 20_261);

    /// <summary>Says what a test runs with, and how to run another form of it.</summary>
    public static void Print(string what) => TestContext.Current.TestOutputHelper!.WriteLine(
        $"{what}, seed {Seed}. {RoundsVariable}, {KillsVariable} and {SeedVariable} in the environment choose another form.");

    private static int Read(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
