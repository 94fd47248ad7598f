using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class MemoryFileTests
{
    [Theory]
    [InlineData(PagePreference.BaseOnly)]
    [InlineData(PagePreference.PreferHuge)]
    public void A_sealed_file_can_be_truncated_but_neither_grown_nor_sealed_further(PagePreference preference)
    {
        using MemoryFile file = MemoryFile.Create("test", 100_000, preference);
        file.AddSeals(MemorySeals.Grow | MemorySeals.Seal);

        Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => file.AddSeals(MemorySeals.Shrink)).Errno);
        Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => file.Truncate(file.Length + file.PageSize)).Errno);
        file.Truncate(0);
    }

    [Fact]
    public unsafe void A_mapping_of_a_truncated_file_reads_zeros_and_says_so()
    {
        using MemoryFile file = MemoryFile.Create("test", 8192, PagePreference.BaseOnly);
        using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
        mapping.Start[5000] = 42;
        Assert.False(mapping.IsFaulted);

        file.Truncate(0);

        Assert.Equal(0, Volatile.Read(ref mapping.Start[5000]));
        Assert.True(mapping.IsFaulted);
    }

    [Fact]
    public void Descriptors_travel_with_a_message()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.Pair(UnixSocketKind.SequencedPacket);
        using (first)
        using (second)
        using (MemoryFile file = MemoryFile.Create("test", 4096, PagePreference.BaseOnly))
        {
            Assert.Null(second.TryReceive(new byte[10]));
            Assert.Equal(3, first.TrySend("abc"u8, file.Descriptor, file.Descriptor));
            ReceivedMessage message = second.TryReceive(new byte[10])!.Value;
            Assert.Equal(3, message.Length);
            Assert.Equal(2, message.Descriptors.Count);
            Assert.Equal(Environment.ProcessId, second.PeerCredentials.ProcessId);
            message.CloseDescriptors();
        }
    }
}
