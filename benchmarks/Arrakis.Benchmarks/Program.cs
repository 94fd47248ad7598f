using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// In this process: no project is generated and built for each benchmark.
Job job = (args.Contains("--quick") ? Job.ShortRun : Job.Default).WithToolchain(InProcessEmitToolchain.Instance);
ManualConfig config = ManualConfig.Create(DefaultConfig.Instance).AddJob(job).WithArtifactsPath("artifacts/bench-micro");
string[] rest = [.. args.Where(static arg => arg != "--quick")];
return BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(rest.Length == 0 ? ["--filter", "*"] : rest, config).Any() ? 0 : 1;
