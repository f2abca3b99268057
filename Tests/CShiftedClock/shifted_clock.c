#define _GNU_SOURCE
#include "shifted_clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long shift;

void shifted_clock_set(long milliseconds) { atomic_store(&shift, milliseconds); }

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    long milliseconds = atomic_load(&shift);
    if (result != 0 || clock != CLOCK_REALTIME || milliseconds == 0) return result;
    long nanoseconds = time->tv_nsec + milliseconds % 1000 * 1000000;
    time->tv_sec += milliseconds / 1000;
    if (nanoseconds < 0) {
        nanoseconds += 1000000000;
        time->tv_sec -= 1;
    } else if (nanoseconds >= 1000000000) {
        nanoseconds -= 1000000000;
        time->tv_sec += 1;
    }
    time->tv_nsec = nanoseconds;
    return 0;
}
