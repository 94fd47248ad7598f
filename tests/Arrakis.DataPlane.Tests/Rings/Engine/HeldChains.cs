namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>What a device has taken and not given back: a deque, from which any element can be taken where order does not matter.</summary>
internal sealed class HeldChains<T>
{
    private readonly T[] _items;
    private int _first;

    /// <summary>Makes one for as many elements as a ring has descriptors.</summary>
    public HeldChains(int size) => _items = new T[size];

    public int Count { get; private set; }

    public void Add(T item)
    {
        Assert.True(Count < _items.Length, "the device has more than the ring has descriptors");
        _items[(_first + Count++) % _items.Length] = item;
    }

    public T TakeFirst()
    {
        T item = _items[_first];
        _first = (_first + 1) % _items.Length;
        Count--;
        return item;
    }

    public T TakeAny(int which)
    {
        int at = (_first + which) % _items.Length;
        T item = _items[at];
        _items[at] = _items[(_first + --Count) % _items.Length];
        return item;
    }
}
