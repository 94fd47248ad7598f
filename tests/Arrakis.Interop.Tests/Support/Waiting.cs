namespace Arrakis.Interop.Tests.Support;

/// <summary>Waits for conditions; the time limit is there to end a test that hangs.</summary>
internal static class Waiting
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(45);

    public static Task UntilAsync(Func<bool> condition, Func<string> otherwise) => UntilAsync(() => Task.FromResult(condition()), otherwise);

    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> otherwise)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > s_limit)
            {
                throw new TimeoutException(otherwise());
            }

            await Task.Delay(10);
        }
    }
}
