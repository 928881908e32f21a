/* Random numbers of the simulator: xoshiro256**, seeded by splitmix64. The same seed, the same run,
 * on every machine. */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng_split(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Each subject has a stream of its own, so that leaving one out does not change the others. */
static inline void rng_init(struct rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed * 0xda942042e4dd58b5ULL + stream;
	int i;

	for (i = 0; i < 4; i++)
		rng->s[i] = rng_split(&state);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t result = rng_rotl(rng->s[1] * 5, 7) * 9, t = rng->s[1] << 17;

	rng->s[2] ^= rng->s[0];
	rng->s[3] ^= rng->s[1];
	rng->s[1] ^= rng->s[2];
	rng->s[0] ^= rng->s[3];
	rng->s[2] ^= t;
	rng->s[3] = rng_rotl(rng->s[3], 45);
	return result;
}

/* 0 to n-1. */
static inline int64_t rng_below(struct rng *rng, int64_t n)
{
	return n <= 1 ? 0 : (int64_t)(rng_next(rng) % (uint64_t)n);
}

static inline bool rng_percent(struct rng *rng, int percent)
{
	return rng_below(rng, 100) < percent;
}

#define RNG_PICK(rng, array) ((array)[rng_below((rng), (int64_t)ARRAY_SIZE(array))])

#endif
