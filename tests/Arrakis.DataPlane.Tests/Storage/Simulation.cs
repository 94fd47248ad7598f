namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>Runs what a seed decides on one thread, where awaits go on inside of the completion, and names the seed where it fails.</summary>
internal static class Simulation
{
    public static T Run<T>(string name, Func<T> scenario)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            return scenario();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{name}: {e.Message}", e);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }
}
