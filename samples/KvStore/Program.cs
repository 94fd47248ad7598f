using Arrakis.Samples.KvStore;

return await StoreCommand.Create().Parse(args).InvokeAsync();
