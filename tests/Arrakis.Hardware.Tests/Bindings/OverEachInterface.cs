using Arrakis.Hardware.Tests.Support;

namespace Arrakis.Hardware.Tests.Bindings;

/// <inheritdoc/>
public sealed class IgbvfOverGroupTests(IgbvfGroup fixture) : BindingTests(fixture), IClassFixture<IgbvfGroup>;

/// <inheritdoc/>
public sealed class IgbvfOverCdevTests(IgbvfCdev fixture) : BindingTests(fixture), IClassFixture<IgbvfCdev>;

/// <inheritdoc/>
public sealed class VirtioOverGroupTests(VirtioGroup fixture) : BindingTests(fixture), IClassFixture<VirtioGroup>;

/// <inheritdoc/>
public sealed class VirtioOverCdevTests(VirtioCdev fixture) : BindingTests(fixture), IClassFixture<VirtioCdev>;

/// <inheritdoc/>
public sealed class VirtualFunctionsOverGroupTests(IgbvfGroup fixture) : VirtualFunctionTests(fixture), IClassFixture<IgbvfGroup>;

/// <inheritdoc/>
public sealed class VirtualFunctionsOverCdevTests(IgbvfCdev fixture) : VirtualFunctionTests(fixture), IClassFixture<IgbvfCdev>;
