/*
 * Fills a store with sagas that sleep: fill_sleepers FILE|URL SLEEPING DUE ENDED [AFTER_S [OVER_S]]
 *
 * SLEEPING sagas wait in `await: {after: 3d}`, their ends spread over the next three days; DUE more
 * fall due, from AFTER_S (10) seconds after the others were written, over OVER_S (60) seconds;
 * ENDED have ended over the last three days.
 */
#include <stdio.h>

#include "sagas/base/macros.h"
#include "tests/support/store_fill.h"

#define HOUR_MS (60 * 60 * 1000LL)
#define NAP_MS (72 * HOUR_MS)

static const char definition[] =
	"{\"saga\":\"nap\",\"steps\":[{\"id\":\"nap\",\"await\":{\"after\":\"72h\"}}]}";

/* Writes the sagas that were begun; when they are to end, that is a transition of its own. */
static void flush(struct fill *fill, bool end)
{
	struct input timer = {.type = INPUT_TIMER};

	fill_commit(fill);
	for (size_t i = 0; end && i < fill->n; i++) {
		struct saga_state *state = fill->states[i];
		struct store_item *item = fill_decide(fill, state, &timer, saga_state_next_due(state), 2);

		CHECK(state->status == SAGA_COMPLETED);
		item->update = fill_row(fill, state);
	}
	fill_commit(fill);
	fill_clear(fill);
}

/* n sagas that begin at even distances in a span of time, in the order of their beginnings. */
static void fill_span(struct fill *fill, struct saga_def *def, int64_t n, wall_ms from,
					  int64_t span_ms, bool end)
{
	for (int64_t i = 0; i < n; i++) {
		wall_ms at = from + (wall_ms)((double)span_ms * (double)i / (double)n);
		const struct saga_state *state = fill_begin(fill, def, at, NULL);

		CHECK(saga_state_may_sleep(state) && saga_state_next_due(state) == at + NAP_MS);
		if (fill->n == FILL_CHUNK)
			flush(fill, end);
	}
	flush(fill, end);
}

int main(int argc, char **argv)
{
	struct saga_def *def;
	struct fill fill;
	int64_t sleeping, due, ended, after_ms, over_ms;
	wall_ms now = fill_now();

	if (argc < 5 || argc > 7) {
		fprintf(stderr, "usage: fill_sleepers FILE|URL SLEEPING DUE ENDED [AFTER_S [OVER_S]]\n");
		return 2;
	}
	sleeping = fill_number(argv[2]);
	due = fill_number(argv[3]);
	ended = fill_number(argv[4]);
	after_ms = argc > 5 ? fill_number(argv[5]) * 1000 : 10000;
	over_ms = argc > 6 ? fill_number(argv[6]) * 1000 : 60000;
	fill_open(&fill, argv[1]);
	def = fill_deploy(&fill, definition);
	fill_span(&fill, def, ended, now - 2 * NAP_MS, NAP_MS - HOUR_MS, true);
	/* None of these comes due while the others are measured. */
	fill_span(&fill, def, sleeping, now - NAP_MS + 2 * HOUR_MS, NAP_MS - 2 * HOUR_MS, false);
	fill_span(&fill, def, due, fill_now() + after_ms - NAP_MS, over_ms, false);
	fill_close(&fill);
	saga_def_unref(def);
	return 0;
}
