using System.Globalization;
using Spectre.Console;

namespace Arrakis.Ctl.Output;

/// <summary>A table: columns under headings, numbers to the right, a dash for what is not there.</summary>
internal sealed class TextTable
{
    private const string Nothing = "-";
    private readonly Table _table = new() { Border = TableBorder.None, ShowHeaders = true };
    private readonly bool[] _isNumeric;

    internal TextTable(params ReadOnlySpan<string> headings)
    {
        _isNumeric = new bool[headings.Length];
        foreach (string heading in headings)
        {
            _table.AddColumn(new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold))).NoWrap().PadLeft(0).PadRight(2));
        }
    }

    internal bool IsEmpty => _table.Rows.Count == 0;

    internal Table Rendered => _table;

    /// <summary>Lets texts of these columns go on in the next line where the terminal is narrow.</summary>
    internal void Wrap(params ReadOnlySpan<int> columns)
    {
        foreach (int column in columns)
        {
            _table.Columns[column].NoWrap = false;
        }
    }

    internal void Add(params ReadOnlySpan<object?> cells)
    {
        var texts = new Text[cells.Length];
        for (int i = 0; i < cells.Length; i++)
        {
            string text = Convert.ToString(cells[i], CultureInfo.InvariantCulture) is { Length: > 0 } some ? some : Nothing;
            if (cells[i] is sbyte or short or int or long or ushort or uint or ulong && _table.Columns.Count > 2)
            {
                _isNumeric[i] = true;
                _table.Columns[i].Alignment = Justify.Right;
            }

            texts[i] = new Text(text);
        }

        _table.AddRow(texts);
    }
}
