# Sourced: where the parts of the virtual hardware lab are.
lab=artifacts/lab/hardware
kernel_options=scripts/lab/kernel.config

# kernel_folder: where the kernel for the present options is, or will be.
kernel_folder() {
    local hash
    hash=$(sha256sum <$kernel_options)
    echo "$lab/kernel-${hash:0:12}"
}

# dotnet_folder PART: the newest version of a part of this machine's .NET 10.
dotnet_folder() {
    local root
    root=$(dirname "$(readlink -f "$(command -v dotnet)")")
    find "$root/$1" -mindepth 1 -maxdepth 1 -name '10.*' | sort -V | tail -n 1
}
