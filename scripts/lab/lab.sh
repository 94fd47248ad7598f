# Sourced: where the parts of the virtual hardware lab are.
lab=artifacts/lab/hardware
kernel_options=scripts/lab/kernel.config

# kernel_folder: where the kernel for the present options is, or will be.
kernel_folder() {
    local hash
    hash=$(sha256sum <$kernel_options)
    echo "$lab/kernel-${hash:0:12}"
}
