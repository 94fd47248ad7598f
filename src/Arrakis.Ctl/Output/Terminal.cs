using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Arrakis.Contract;
using Spectre.Console;

namespace Arrakis.Ctl.Output;

/// <summary>Where a command writes: results to the one stream, errors to the other.</summary>
internal sealed class Terminal : IDisposable
{
    private const int WidthOfPipe = 1000; // A pipe has no width: a row stays on one line.
    private readonly IAnsiConsole _console;

    internal Terminal(TextWriter output, TextWriter error, bool isInteractive)
    {
        Output = output;
        Error = error;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = isInteractive ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isInteractive ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        if (!isInteractive)
        {
            _console.Profile.Width = WidthOfPipe;
        }
    }

    internal TextWriter Output { get; }

    internal TextWriter Error { get; }

    public void Dispose()
    {
        Output.Flush();
        Error.Flush();
    }

    internal void Write(TextTable table, string whenEmpty)
    {
        if (table.IsEmpty)
        {
            Output.WriteLine(whenEmpty);
        }
        else
        {
            _console.Write(table.Rendered);
        }
    }

    internal void WriteJson<T>(T value, JsonTypeInfo<T> type) => Output.WriteLine(JsonSerializer.Serialize(value, type));

    internal void WriteError(string message) => Error.WriteLine($"arrakisctl: {message}");

    internal void WriteError(ArrakisException error, ExitCode code, bool json)
    {
        if (json)
        {
            Error.WriteLine(JsonSerializer.Serialize(new ErrorRow(error.Code.ToString(), error.Cause, error.Remedy, (int)code), IndentedJson.Ctl.ErrorRow));
        }
        else
        {
            WriteError(error.Cause);
            Error.WriteLine($"  {error.Remedy}");
        }
    }
}
