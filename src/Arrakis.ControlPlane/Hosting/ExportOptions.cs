namespace Arrakis.ControlPlane.Hosting;

/// <summary>Storage areas as files.</summary>
internal sealed record ExportOptions
{
    /// <summary>The folder; it is made where it is not there.</summary>
    public string Path { get; set; } = "/run/arrakis/areas";
}
