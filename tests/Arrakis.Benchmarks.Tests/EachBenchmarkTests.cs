using System.Reflection;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks.Tests;

/// <summary>Each benchmark with each set of its parameters runs, and allocates nothing.</summary>
public sealed class EachBenchmarkTests
{
    private static readonly Type[] s_benchmarks =
        [.. typeof(RingBenchmarks).Assembly.GetExportedTypes().Where(static type => type.GetMethods().Any(IsBenchmark))];

    public static TheoryData<string> Names => [.. s_benchmarks.Select(static type => type.Name)];

    [Fact]
    public void There_are_benchmarks() => Assert.Equal(10, s_benchmarks.Length);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_benchmark_runs_and_allocates_nothing(string name)
    {
        Type type = s_benchmarks.Single(type => type.Name == name);
        Assert.NotNull(type.GetCustomAttribute<MemoryDiagnoserAttribute>());
        foreach (MethodInfo method in type.GetMethods().Where(IsBenchmark))
        {
            foreach ((PropertyInfo Property, object? Value)[] set in Sets(type))
            {
                object benchmark = Activator.CreateInstance(type)!;
                Array.ForEach(set, parameter => parameter.Property.SetValue(benchmark, parameter.Value));
                Call<GlobalSetupAttribute>(benchmark);
                try
                {
                    long allocated = Allocated(benchmark, method);
                    Assert.True(allocated == 0, $"{method.Name} with {string.Join(", ", set.Select(static parameter => parameter.Value))} allocated {allocated} bytes.");
                }
                finally
                {
                    Call<GlobalCleanupAttribute>(benchmark);
                }
            }
        }
    }

    private static bool IsBenchmark(MethodInfo method) => method.GetCustomAttribute<BenchmarkAttribute>() is not null;

    private static long Allocated(object benchmark, MethodInfo method) =>
        method.ReturnType == typeof(ushort)
            ? Allocated(method.CreateDelegate<Func<ushort>>(benchmark))
            : Allocated(method.CreateDelegate<Func<int>>(benchmark));

    private static long Allocated<T>(Func<T> run)
    {
        for (int i = 0; i < 2; i++)
        {
            _ = run(); // What is made at the first use.
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 3; i++)
        {
            _ = run();
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static void Call<TAttribute>(object benchmark)
        where TAttribute : Attribute =>
        benchmark.GetType().GetMethods().SingleOrDefault(static method => method.GetCustomAttribute<TAttribute>() is not null)?.Invoke(benchmark, null);

    private static IEnumerable<(PropertyInfo Property, object? Value)[]> Sets(Type type)
    {
        IEnumerable<(PropertyInfo, object?)[]> sets = [[]];
        foreach (PropertyInfo property in type.GetProperties())
        {
            if (property.GetCustomAttribute<ParamsAttribute>() is { } parameters)
            {
                sets = [.. sets.SelectMany(set => parameters.Values.Select(value => ((PropertyInfo, object?)[])[.. set, (property, value)]))];
            }
        }

        return sets;
    }
}
