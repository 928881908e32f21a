/*
 * The process's clocks. Wall time is read once and then carried by the monotonic clock, so that a
 * jump of the system's time neither fires timers early nor holds them back. Of many nodes the wall
 * time is the store's, so that all agree about what is due.
 *
 * Thread: any, after clock_start.
 */
#ifndef COORDINATOR_CLOCK_H
#define COORDINATOR_CLOCK_H

#include <pthread.h>

#include "sagas/base/time.h"

/* Reads the wall clock; once, before threads are started. Calling it again changes nothing. */
void clock_start(void);
wall_ms clock_wall(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* A condition whose waits with a limit go by the monotonic clock. */
void clock_cond_init(pthread_cond_t *cond);
/*
 * What the store's clock said at that moment of the monotonic one. The first time it is taken as it
 * is; later it is followed slowly, so that its jumps too move no timer.
 */
void clock_follow(wall_ms store, int64_t mono_ms);

#endif
