#include "coordinator/clock.h"

#include <time.h>

static int64_t wall_minus_mono_us;

static int64_t read_us(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

void clock_start(void)
{
	if (wall_minus_mono_us == 0)
		wall_minus_mono_us = read_us(CLOCK_REALTIME) - read_us(CLOCK_MONOTONIC);
}

wall_ms clock_wall(void)
{
	return (wall_minus_mono_us + read_us(CLOCK_MONOTONIC)) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}
