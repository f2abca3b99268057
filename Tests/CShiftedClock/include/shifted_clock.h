#ifndef SHIFTED_CLOCK_H
#define SHIFTED_CLOCK_H

/* The process's wall clock, moved: clock_gettime(2) of CLOCK_REALTIME answers so many milliseconds later. For a test's executable only. */
void shifted_clock_set(long milliseconds);

#endif
