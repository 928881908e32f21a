#include "coordinator/clock.h"

#include <stdbool.h>
#include <time.h>

#include "sagas/base/macros.h"

enum { FOLLOW_MAX_US = 10 * 1000 };

static int64_t wall_minus_mono_us; /* atomic */
static bool follows;               /* thread: the one that calls clock_follow */

static int64_t read_us(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

void clock_start(void)
{
	if (__atomic_load_n(&wall_minus_mono_us, __ATOMIC_RELAXED) == 0)
		__atomic_store_n(&wall_minus_mono_us, read_us(CLOCK_REALTIME) - read_us(CLOCK_MONOTONIC),
						 __ATOMIC_RELAXED);
}

wall_ms clock_wall(void)
{
	return (__atomic_load_n(&wall_minus_mono_us, __ATOMIC_RELAXED) + read_us(CLOCK_MONOTONIC)) /
		   1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(cond, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

void clock_follow(wall_ms store, int64_t mono_ms)
{
	int64_t now = __atomic_load_n(&wall_minus_mono_us, __ATOMIC_RELAXED);
	int64_t by = (store - mono_ms) * 1000 - now;

	if (follows && by > FOLLOW_MAX_US)
		by = FOLLOW_MAX_US;
	if (follows && by < -FOLLOW_MAX_US)
		by = -FOLLOW_MAX_US;
	follows = true;
	__atomic_store_n(&wall_minus_mono_us, now + by, __ATOMIC_RELAXED);
}
