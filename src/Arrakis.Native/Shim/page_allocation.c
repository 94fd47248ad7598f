// Allocation of a file's pages under the runtime's signals.
//
// A signal interrupts fallocate(2), and the kernel then gives back what the call had allocated. The runtime signals only
// threads that run managed code: a thread that goes back there to call again meets the next collection's signal at the
// same place, for as long as another thread collects. Repeated here, the call meets no second one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

// Allocates bytes 0 to length of a file. Returns 0 or an errno.
int arrakis_allocate_pages(int descriptor, int64_t length)
{
    while (fallocate(descriptor, 0, 0, length) != 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}
