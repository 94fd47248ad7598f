using Arrakis.UdpLatency.Report;
using Spectre.Console;

namespace Arrakis.UdpLatency.Tests;

public sealed class LatencyTableTests
{
    [Fact]
    public void The_table_shows_every_figure_of_a_row()
    {
        LatencyRow row = new(Paths.KernelBlocking, Apis.SocketsBlocking, 64, 53.125, 78.5, 112.959, 18_716, 2.0003);

        string text = Render(LatencyTable.Of([row]));

        string[] shown = ["kernel-veth-blocking", "sockets-blocking", "64", "53.125", "78.5", "112.959", "18,716", "2.0003"];
        Assert.All(shown, figure => Assert.Contains(figure, text, StringComparison.Ordinal));
    }

    private static string Render(Table table)
    {
        using var writer = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 160;
        console.Write(table);
        return writer.ToString();
    }
}
