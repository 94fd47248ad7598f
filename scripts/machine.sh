# Sourced: what a run borrows from the machine, and gives back when it ends, however it ends.
hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
borrowed_hugepages=
borrowed_tracefs=

# borrow_hugepages N: makes the pool at least N pages of 2 MiB; a larger pool is left as it is.
borrow_hugepages() {
    local former
    [ -w $hugepages ] || { echo "No pool of 2 MiB pages on this kernel; base pages are used." >&2; return; }
    former=$(cat $hugepages)
    if [ "$former" -lt "$1" ]; then
        borrowed_hugepages=$former
        echo "$1" > $hugepages
        [ "$(cat $hugepages)" -ge "$1" ] || echo "Only $(cat $hugepages) of $1 hugepages could be reserved: memory is short or fragmented." >&2
    fi
}

# borrow_tracefs: mounts the kernel's tracing files, with which system calls are counted.
borrow_tracefs() {
    if [ ! -e /sys/kernel/tracing/events ] && mount -t tracefs tracefs /sys/kernel/tracing; then
        borrowed_tracefs=1
    fi
}

give_back() {
    if [ -n "$borrowed_hugepages" ]; then
        echo "$borrowed_hugepages" > $hugepages
        borrowed_hugepages=
    fi
    if [ -n "$borrowed_tracefs" ]; then
        umount /sys/kernel/tracing || umount -l /sys/kernel/tracing
        borrowed_tracefs=
    fi
}

# processes_of MARK: the processes whose environment has the variable MARK (NAME=value), however they were started.
processes_of() {
    local file
    for file in /proc/[0-9]*/environ; do
        if grep -qzxF -- "$1" "$file" 2>/dev/null; then
            file=${file#/proc/}
            echo "${file%/environ}"
        fi
    done
}

# end_processes_of MARK: ends them; those that do not go within two seconds are killed.
end_processes_of() {
    local all
    all=$(processes_of "$1")
    [ -n "$all" ] || return 0
    kill $all 2>/dev/null || true
    for _ in {1..20}; do
        [ -n "$(processes_of "$1")" ] || return 0
        sleep 0.1
    done
    kill -KILL $(processes_of "$1") 2>/dev/null || true
}
