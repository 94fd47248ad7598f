using System.Text.Json;

namespace Arrakis.Contract.Json;

/// <summary>Refuses null collections and nulls inside them: the serializer's nullable annotations do not reach all of them.</summary>
internal static class NullElements
{
    internal static void Refuse<T>(IEnumerable<T>? elements, string member)
    {
        if (elements is null)
        {
            throw new JsonException($"'{member}' is null.");
        }

        foreach (T? element in elements)
        {
            if (element is null)
            {
                throw new JsonException($"An element of '{member}' is null.");
            }
        }
    }
}
