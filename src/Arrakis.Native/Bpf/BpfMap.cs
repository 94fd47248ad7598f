using System.Buffers.Binary;
using Tmds.Linux;

namespace Arrakis.Native.Bpf;

/// <summary>What a map holds (enum bpf_map_type).</summary>
public enum BpfMapKind
{
    /// <summary>Values by keys of any kind.</summary>
    Hash = 1,

    /// <summary>Values by index; all are there from the beginning.</summary>
    Array = 2,

    /// <summary>Values by index, one of each processor.</summary>
    PerProcessorArray = 6,

    /// <summary>AF_XDP sockets by index: what a program may redirect frames to.</summary>
    XdpSockets = 17,
}

/// <summary>When an element is written.</summary>
public enum BpfUpdate
{
    /// <summary>Whether it is there or not.</summary>
    Any = 0,

    /// <summary>Only where it is not there yet.</summary>
    Create = 1,

    /// <summary>Only where it is there.</summary>
    Replace = 2,
}

/// <summary>A map of the kernel that programs and processes share (bpf(2)). It lives as long as a descriptor of it or a program that uses it.</summary>
public sealed unsafe class BpfMap : IDisposable
{
    private BpfMap(Descriptor descriptor, BpfMapKind kind, int keyLength, int valueLength, int entries)
    {
        Descriptor = descriptor;
        Kind = kind;
        KeyLength = keyLength;
        ValueLength = valueLength;
        Entries = entries;
    }

    /// <summary>The map's descriptor, owned by this object.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>What it holds.</summary>
    public BpfMapKind Kind { get; }

    /// <summary>Bytes of a key.</summary>
    public int KeyLength { get; }

    /// <summary>Bytes of a value, as programs see it.</summary>
    public int ValueLength { get; }

    /// <summary>Elements that it has room for.</summary>
    public int Entries { get; }

    /// <summary>The kernel's number of the map.</summary>
    public uint Id => BpfCalls.Describe<BpfCalls.MapInfo>(Descriptor).Id;

    /// <summary>Makes a map.</summary>
    /// <param name="kind">What it holds.</param>
    /// <param name="keyLength">Bytes of a key; of those by index 4.</param>
    /// <param name="valueLength">Bytes of a value; of sockets 4.</param>
    /// <param name="entries">Elements that it has room for.</param>
    /// <param name="name">Shown by bpftool(8); 15 characters.</param>
    /// <exception cref="LinuxException">The process lacks CAP_BPF (EPERM), the kernel has no such map (EINVAL), or there is no memory.</exception>
    public static BpfMap Create(BpfMapKind kind, int keyLength, int valueLength, int entries, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keyLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(valueLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(entries);
        var argument = new BpfCalls.MapArgument { Kind = (uint)kind, KeyLength = (uint)keyLength, ValueLength = (uint)valueLength, Entries = (uint)entries };
        BpfCalls.WriteName(name, argument.Name);
        int number = BpfCalls.Call(BpfCalls.MapCreate, &argument, $"bpf(BPF_MAP_CREATE, {name})");
        return new BpfMap(new Descriptor(number), kind, keyLength, valueLength, entries);
    }

    /// <summary>Makes a map of AF_XDP sockets. A socket leaves it by itself when it is closed.</summary>
    /// <param name="entries">Sockets that it has room for.</param>
    /// <param name="name">Shown by bpftool(8); 15 characters.</param>
    /// <exception cref="LinuxException">As of <see cref="Create"/>.</exception>
    public static BpfMap CreateForXdpSockets(int entries, string name) => Create(BpfMapKind.XdpSockets, sizeof(uint), sizeof(uint), entries, name);

    /// <summary>Takes a map that came from elsewhere.</summary>
    /// <param name="descriptor">Its descriptor; this object owns it from now on.</param>
    /// <exception cref="LinuxException">It is no map.</exception>
    public static BpfMap Adopt(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        BpfCalls.CheckKind(descriptor, "bpf-map");
        BpfCalls.MapInfo info = BpfCalls.Describe<BpfCalls.MapInfo>(descriptor);
        return new BpfMap(descriptor, (BpfMapKind)info.Kind, (int)info.KeyLength, (int)info.ValueLength, (int)info.Entries);
    }

    /// <summary>Reads an element. False where it is not there.</summary>
    /// <param name="key">Its key, of just the map's length.</param>
    /// <param name="value">Room for its value; of a map with a value of each processor, for all of them, each rounded up to eight bytes.</param>
    /// <exception cref="LinuxException">The kernel refuses it: the elements of a map of sockets cannot be read.</exception>
    public bool TryRead(ReadOnlySpan<byte> key, Span<byte> value)
    {
        CheckKey(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(value.Length, ValueLength);
        fixed (byte* at = key, to = value)
        {
            var argument = new BpfCalls.ElementArgument { Map = Descriptor.Number, Key = at, Value = to };
            return Succeeds(BpfCalls.TryCall(BpfCalls.MapLookup, &argument), "bpf(BPF_MAP_LOOKUP_ELEM)");
        }
    }

    /// <summary>Writes an element.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="value">Its value.</param>
    /// <param name="when">Whether it may, or must, be there.</param>
    /// <exception cref="LinuxException">It is there (EEXIST) or not (ENOENT) against what was asked, or the map is full (E2BIG).</exception>
    public void Write(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, BpfUpdate when = BpfUpdate.Any)
    {
        CheckKey(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(value.Length, ValueLength);
        fixed (byte* at = key, from = value)
        {
            var argument = new BpfCalls.ElementArgument { Map = Descriptor.Number, Key = at, Value = from, Flags = (ulong)when };
            BpfCalls.Call(BpfCalls.MapUpdate, &argument, "bpf(BPF_MAP_UPDATE_ELEM)");
        }
    }

    /// <summary>Puts a socket, or another descriptor, at an index.</summary>
    /// <param name="index">Below <see cref="Entries"/>.</param>
    /// <param name="descriptor">An AF_XDP socket that has its receive ring.</param>
    /// <exception cref="LinuxException">It is no such socket (EOPNOTSUPP), has no ring yet (EOPNOTSUPP), or the index is too high (E2BIG).</exception>
    public void Write(int index, Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Span<byte> key = stackalloc byte[sizeof(int)];
        Span<byte> value = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(key, index);
        BinaryPrimitives.WriteInt32LittleEndian(value, descriptor.Number);
        Write(key, value);
    }

    /// <summary>Takes an element away. False where it was not there, if the kind of map tells: one of sockets does not.</summary>
    /// <exception cref="LinuxException">The kernel refuses it: an array's elements stay.</exception>
    public bool Remove(ReadOnlySpan<byte> key)
    {
        CheckKey(key);
        fixed (byte* at = key)
        {
            var argument = new BpfCalls.ElementArgument { Map = Descriptor.Number, Key = at };
            return Succeeds(BpfCalls.TryCall(BpfCalls.MapDelete, &argument), "bpf(BPF_MAP_DELETE_ELEM)");
        }
    }

    /// <summary>Closes the descriptor; programs that use the map keep it.</summary>
    public void Dispose() => Descriptor.Dispose();

    private void CheckKey(ReadOnlySpan<byte> key) => ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyLength, nameof(key));

    private static bool Succeeds(int result, string call) =>
        result >= 0 || (LibC.errno == LibC.ENOENT ? false : throw new LinuxException(call));
}
