// The one piece of C: a SIGBUS handler for memory that another process may truncate.
//
// Managed code cannot handle SIGBUS: CoreCLR turns it into a fatal error. Here a fault inside a registered range maps
// anonymous zero pages over the whole range and sets the range's flag; the faulting instruction is then repeated and
// reads zeros. A fault anywhere else goes to the handler that was there before, CoreCLR's.
//
// Everything the handler touches is lock-free and async-signal-safe (signal-safety(7)); mmap(2) is a plain system call.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/mman.h>

enum { max_ranges = 1024 };

struct range {
    _Atomic(uintptr_t) start; // 0: the slot is free; 1: it is being filled or emptied
    _Atomic(size_t) length;
    _Atomic(int) faulted;
};

static struct range ranges[max_ranges];
static struct sigaction previous;
static atomic_int installed; // 0: no; 1: being installed; 2: yes

static void chain(int signal_number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal_number, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        // An ignored or default SIGBUS from a fault ends the process: repeat it without this handler.
        struct sigaction none = { 0 };
        none.sa_handler = SIG_DFL;
        sigaction(SIGBUS, &none, NULL);
        if (info->si_code <= 0) {
            raise(SIGBUS);
        }
    } else {
        previous.sa_handler(signal_number);
    }
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    if (info->si_code <= 0) {
        // Sent by a process (kill(2)) and no fault: si_addr means nothing.
        chain(signal_number, info, context);
        return;
    }
    for (int i = 0; i < max_ranges; i++) {
        uintptr_t start = atomic_load_explicit(&ranges[i].start, memory_order_acquire);
        if (start <= 1) {
            continue;
        }
        size_t length = atomic_load_explicit(&ranges[i].length, memory_order_acquire);
        if (atomic_load_explicit(&ranges[i].start, memory_order_relaxed) != start) {
            continue; // Another thread gave the slot to another range: the length may be that one's.
        }
        if (address - start < length) {
            void *zeros = mmap((void *)start, length, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
            if (zeros == MAP_FAILED) {
                break;
            }
            atomic_store_explicit(&ranges[i].faulted, 1, memory_order_release);
            errno = saved_errno;
            return;
        }
    }
    errno = saved_errno;
    chain(signal_number, info, context);
}

// Installs the handler, once; to be called after the runtime has installed its own. Returns 0 or an errno.
int arrakis_sigbus_install(void)
{
    int expected = 0;
    while (!atomic_compare_exchange_strong(&installed, &expected, 1)) {
        if (expected == 2) {
            return 0;
        }
        sched_yield();
        expected = 0;
    }
    struct sigaction action = { 0 };
    action.sa_sigaction = on_sigbus;
    // Not SA_ONSTACK: a fault outside all ranges ends in CoreCLR's handler, whose report does not fit the alternate stack.
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &previous) != 0) {
        int error = errno;
        atomic_store(&installed, 0);
        return error;
    }
    atomic_store(&installed, 2);
    return 0;
}

// Guards a mapped range. Returns its slot, or -1 where all are taken.
int arrakis_sigbus_guard(void *start, size_t length)
{
    for (int i = 0; i < max_ranges; i++) {
        uintptr_t expected = 0;
        if (atomic_compare_exchange_strong(&ranges[i].start, &expected, 1)) {
            atomic_store(&ranges[i].faulted, 0);
            atomic_store(&ranges[i].length, length);
            atomic_store(&ranges[i].start, (uintptr_t)start);
            return i;
        }
    }
    return -1;
}

// Where the flag of a slot is, so that a poller can read it without a call.
const int *arrakis_sigbus_flag(int slot)
{
    return (const int *)&ranges[slot].faulted;
}

// Ends the guard; to be called before the range is unmapped.
void arrakis_sigbus_release(int slot)
{
    atomic_store(&ranges[slot].start, 1);
    atomic_store(&ranges[slot].length, 0);
    atomic_store(&ranges[slot].start, 0);
}
