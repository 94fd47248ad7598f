using System.Text;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Wire.Rings;

namespace Arrakis.Contract.Tests;

public sealed class RoundTripTests
{
    [Fact]
    public void Every_kind_of_message_is_sampled()
    {
        Assert.Equal(Kinds(typeof(ControlRequest)), Types(Samples.Requests));
        Assert.Equal(Kinds(typeof(ControlReply)), Types(Samples.Replies));
        Assert.Equal(Kinds(typeof(DeviceRequest)), Types(Samples.DeviceRequests));
        Assert.Equal(Kinds(typeof(DeviceReply)), Types(Samples.DeviceReplies));
    }

    [Fact]
    public void Control_messages_are_read_back()
    {
        Assert.All(Samples.Requests, message => AssertSame(message, MessageCodec.DecodeRequest(MessageCodec.Encode(message)), MessageCodec.Encode));
        Assert.All(Samples.Replies, message => AssertSame(message, MessageCodec.DecodeReply(MessageCodec.Encode(message)), MessageCodec.Encode));
    }

    [Fact]
    public void Device_messages_are_read_back()
    {
        Assert.All(Samples.DeviceRequests, message => AssertSame(message, MessageCodec.DecodeDeviceRequest(MessageCodec.Encode(message)), MessageCodec.Encode));
        Assert.All(Samples.DeviceReplies, message => AssertSame(message, MessageCodec.DecodeDeviceReply(MessageCodec.Encode(message)), MessageCodec.Encode));
    }

    [Fact]
    public void A_request_has_the_form_that_other_languages_write()
    {
        Assert.Equal("""{"type":"hello","version":1,"id":1}""", Encoding.UTF8.GetString(MessageCodec.Encode(Samples.Requests[0])));
        BindNicRequest bind = Assert.IsType<BindNicRequest>(MessageCodec.DecodeRequest(
            """{"type":"bind-nic","id":2,"address":"10.7.0.2/24","mac":"52:54:00:00:00:0a","filter":[{"direction":"Both","protocol":"Udp","localPort":7}]}"""u8));
        Assert.Equal((256, 2048, 1), (bind.QueueSize, bind.Buffers, bind.QueuePairs));
        Assert.Equal((FilterDirection.Both, (ushort)7), (bind.Filter[0].Direction, bind.Filter[0].LocalPort!.Value));
    }

    [Fact]
    public void A_grant_tells_its_queue_pairs_the_event_of_each_and_how_flows_are_spread()
    {
        Grant grant = Assert.IsType<BindNicReply>(MessageCodec.DecodeReply(MessageCodec.Encode(new BindNicReply { Id = 1, Grant = Samples.GrantOfTwoPairs }))).Grant;
        Assert.Equal(2, grant.QueuePairs);
        Assert.Equal([2, 2, 5, 5], grant.Queues.Select(static queue => queue.EventDescriptor));
        Assert.Equal(128, grant.Steering!.Table.Count);
        Assert.Equal([0, 1, 0, 1], grant.Steering.Table.Take(4));
        Assert.StartsWith("6d5a56da255b0ec2", grant.Steering.ToeplitzKey, StringComparison.Ordinal);
    }

    [Fact]
    public void A_grant_that_names_no_events_has_the_first_one_as_all_had_before_there_were_pairs()
    {
        string text = Encoding.UTF8.GetString(MessageCodec.Encode(new BindNicReply { Id = 1, Grant = Samples.Grant }));
        string older = text.Replace(",\"eventDescriptor\":2", "", StringComparison.Ordinal);
        Assert.NotEqual(text, older);
        Grant grant = Assert.IsType<BindNicReply>(MessageCodec.DecodeReply(Encoding.UTF8.GetBytes(older))).Grant;
        Assert.All(grant.Queues, static queue => Assert.Equal(Grant.EventDescriptor, queue.EventDescriptor));
        Assert.Equal(1, grant.QueuePairs);
    }

    [Fact]
    public void Requests_for_storage_have_the_form_that_other_languages_write()
    {
        Assert.Equal(
            """{"type":"bind-storage","area":"log","access":"Read","queueSize":64,"queues":2,"features":4294967808,"buffers":32,"bufferSize":8192,"id":10}""",
            Text(Samples.Requests.OfType<BindStorageRequest>().Single()));
        Assert.Equal("""{"type":"create-area","area":"log","device":"soft0-blk","length":1099511627776,"owner":1000,"id":11}""", Text(Samples.Requests.OfType<CreateAreaRequest>().Single()));
        Assert.Equal("""{"type":"grow-area","area":"log","length":2199023255552,"id":12}""", Text(Samples.Requests.OfType<GrowAreaRequest>().Single()));
        Assert.Equal("""{"type":"delete-area","area":"log","id":13}""", Text(Samples.Requests.OfType<DeleteAreaRequest>().Single()));
        Assert.Equal("""{"type":"change-area","area":"log","newName":"old","owner":1001,"sharedRead":true,"id":14}""", Text(Samples.Requests.OfType<ChangeAreaRequest>().Single()));
        Assert.Equal("""{"type":"list-areas","id":15}""", Text(Samples.Requests.OfType<ListAreasRequest>().Single()));
        Assert.Equal(
            """{"type":"configure-block-port","port":1,"extents":[{"start":0,"count":256},{"start":1024,"count":512}],"readOnly":true,"keepCounters":true,"id":6}""",
            Encoding.UTF8.GetString(MessageCodec.Encode(Samples.DeviceRequests.OfType<ConfigureBlockPortRequest>().Single())));
        Assert.Equal(
            """{"type":"clear-block-port","port":1,"id":7}""", Encoding.UTF8.GetString(MessageCodec.Encode(Samples.DeviceRequests.OfType<ClearBlockPortRequest>().Single())));
        BindStorageRequest bind = Assert.IsType<BindStorageRequest>(MessageCodec.DecodeRequest("""{"type":"bind-storage","id":2,"area":"log"}"""u8));
        Assert.Equal((AreaAccess.ReadWrite, 256, 1, 256, 4096, BindStorageRequest.Understood), (bind.Access, bind.QueueSize, bind.Queues, bind.Buffers, bind.BufferSize, bind.Features));
    }

    [Fact]
    public void A_storage_grant_has_the_form_that_other_languages_read()
    {
        Assert.Equal(
            """{"type":"bind-storage","grant":{"bindingId":18,"generation":4,"device":"soft0-blk","virtualFunction":2,"memory":{"length":2097152,"pageSize":4096,"iovaBase":4294967296,"bufferOffset":65536,"bufferLength":1048576,"bufferSize":4096},"area":"log","access":"ReadWrite","blockSize":4096,"blockCount":768,"extents":[{"start":0,"count":768}],"capabilities":"VolatileCache, Discard","maxTransferLength":1048576,"features":4294976000,"namespaceId":0,"hasSgl":false,"queues":[{"ring":{"format":"Split","queueSize":64,"descriptorArea":0,"driverArea":1024,"deviceArea":1280,"descriptorAreaLength":1024,"driverAreaLength":134,"deviceAreaLength":518,"end":1798},"commandArea":4096,"kickDescriptor":3,"eventDescriptor":2},{"ring":{"format":"Split","queueSize":64,"descriptorArea":12288,"driverArea":13312,"deviceArea":13568,"descriptorAreaLength":1024,"driverAreaLength":134,"deviceAreaLength":518,"end":14086},"commandArea":16384,"kickDescriptor":5,"eventDescriptor":4}]},"id":8}""",
            Encoding.UTF8.GetString(MessageCodec.Encode(Samples.Replies.OfType<BindStorageReply>().First())));
        Assert.Equal(
            """{"type":"areas","areas":[{"name":"log","device":"soft0-blk","owner":1000,"sharedRead":true,"length":1099511627776,"blockSize":4096,"extents":3,"bindings":[17,18]}],"id":10}""",
            Encoding.UTF8.GetString(MessageCodec.Encode(Samples.Replies.OfType<AreasReply>().Single())));
        BlockQueueGrant queue = Assert.IsType<BindStorageReply>(MessageCodec.DecodeReply(MessageCodec.Encode(Samples.Replies.OfType<BindStorageReply>().Last()))).Grant.Queues[0];
        Assert.Equal((RingFormat.Nvme, 0x1008L, 0x100cL), (queue.Ring.Format, queue.Doorbell!.FileOffset, queue.CompletionDoorbell!.FileOffset));
    }

    [Fact]
    public void A_message_over_the_limit_is_not_sent()
    {
        var large = new BindNicRequest { Id = 1, Device = new string('x', ControlProtocol.MaxMessageLength) };
        Assert.Equal(ErrorCode.MessageTooLarge, Assert.Throws<ArrakisException>(() => MessageCodec.Encode(large)).Code);
    }

    [Fact]
    public void The_status_page_has_room_for_its_vector_and_its_hot_fields_share_one_line()
    {
        Assert.True(StatusPageLayout.RepossessionVector + StatusPageLayout.MaxRepossessionEntries * StatusPageLayout.RepossessionEntryLength <= StatusPageLayout.Length);
        Assert.True(StatusPageLayout.RepossessionCount + 4 <= 64);
        Assert.Equal("ARRAKIS1", Encoding.ASCII.GetString(BitConverter.GetBytes(StatusPageLayout.MagicValue)));
    }

    [Fact]
    public void An_exception_carries_code_cause_and_remedy()
    {
        var exception = new BindingRevokedException(17, 3, BindingState.Aborted, [new(ResourceKind.VirtualFunction, 1, 1, 42)]);
        Assert.Equal(ErrorCode.BindingRevoked, exception.Code);
        Assert.Contains("17", exception.Message, StringComparison.Ordinal);
        Assert.Contains(exception.Remedy, exception.Message, StringComparison.Ordinal);
        Assert.Single(exception.Repossessed);
    }

    private static void AssertSame<T>(T expected, T actual, Func<T, byte[]> encode)
    {
        Assert.IsType(expected!.GetType(), actual);
        Assert.Equal(Encoding.UTF8.GetString(encode(expected)), Encoding.UTF8.GetString(encode(actual)));
    }

    private static string Text(ControlRequest request) => Encoding.UTF8.GetString(MessageCodec.Encode(request));

    private static string[] Types<T>(IEnumerable<T> messages) => [.. messages.Select(message => message!.GetType().Name).Distinct().Order(StringComparer.Ordinal)];

    private static string[] Kinds(Type family) =>
        [.. family.Assembly.GetTypes().Where(type => type.IsSubclassOf(family)).Select(type => type.Name).Order(StringComparer.Ordinal)];
}
