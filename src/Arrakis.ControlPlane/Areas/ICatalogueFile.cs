namespace Arrakis.ControlPlane.Areas;

/// <summary>The file that a catalogue is stored in. Nothing that was written is durable before a flush that follows it.</summary>
/// <remarks>A seam: tests cut the power at each call.</remarks>
internal interface ICatalogueFile : IDisposable
{
    /// <summary>Reads up to the buffer's length; fewer bytes only at the file's end.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    int Read(Span<byte> buffer, long offset);

    /// <summary>Writes all bytes.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Write(ReadOnlySpan<byte> bytes, long offset);

    /// <summary>Makes durable what was written.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Flush();
}

/// <summary>Where a catalogue's file is.</summary>
internal interface ICataloguePlace
{
    /// <summary>Its path, for messages.</summary>
    string Path { get; }

    /// <summary>Opens the file; null where there is none.</summary>
    /// <exception cref="IOException">It may not be opened, or another daemon has it.</exception>
    ICatalogueFile? Open();

    /// <summary>Makes an empty file that is not at the path yet; one that an earlier attempt left is replaced.</summary>
    /// <exception cref="IOException">There is no folder, or no room.</exception>
    ICatalogueFile CreateHidden();

    /// <summary>Moves the hidden file to the path, durably and at once.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Publish();
}
