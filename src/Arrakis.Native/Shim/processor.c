// Instructions of the processor that .NET does not offer. None makes a system call or blocks.

#include <stdint.h>
#include <x86intrin.h>

// The time stamp counter, as testpmd counts cycles.
uint64_t arrakis_timestamp_counter(void)
{
    return __rdtsc();
}

// Asks for cache lines in a state in which they can be written. A store alone, or a load and then a store, would fetch
// them one after the other, the second way twice.
void arrakis_prefetch_for_write(void *const *lines, int count)
{
    for (int i = 0; i < count; i++) {
        __asm__ volatile("prefetchw %0" : : "m"(*(const char *)lines[i]));
    }
}
