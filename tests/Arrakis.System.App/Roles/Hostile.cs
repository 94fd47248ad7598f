using Arrakis.Native;
using Arrakis.Native.Memory;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>Holds a binding and does with its memory and rings what it must not. It begins at the command "go".</summary>
internal static class Hostile
{
    public static void Play(HostileOrder order)
    {
        RawHolder holder = RawHolder.Bind(order.ControlSocket);
        Talk.Say(new BoundReport(
            holder.Grant.BindingId,
            holder.Grant.Generation,
            holder.Grant.VirtualFunction,
            holder.Grant.Mac.ToString(),
            holder.Grant.Address.Address.ToString(),
            holder.Grant.Memory.Length,
            holder.Grant.Memory.PageSize));
        if (Talk.NextCommand() is null)
        {
            return;
        }

        if (order.Attack == Attack.Truncate)
        {
            TakeMemoryAway(holder);
        }
        else
        {
            var garbage = new RingGarbage(holder, new Random(order.Seed));
            _ = Talk.Start("garbage", garbage.Write);
        }

        Talk.WaitForEnd();
        holder.Release();
    }

    private static void TakeMemoryAway(RawHolder holder)
    {
        Try("grow", () => holder.File.Truncate(holder.Grant.Memory.Length + MemoryFile.HugePageSize));
        Try("seal shrink", () => holder.File.AddSeals(MemorySeals.Shrink));
        Try("seal write", () => holder.File.AddSeals(MemorySeals.Write));
        holder.File.Truncate(0);
        Try("grow back", () => holder.File.Truncate(holder.Grant.Memory.Length));
        holder.Doorbells[1].Signal(); // For the device to look at what is no more.
        Talk.Say(new DoneReport(1));
    }

    private static void Try(string change, Action make)
    {
        int errno = 0;
        try
        {
            make();
        }
        catch (LinuxException e)
        {
            errno = e.Errno;
        }

        Talk.Say(new RefusalReport(change, errno));
    }
}
