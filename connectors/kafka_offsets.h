/*
 * What has been done with the records of one partition: which offset may be committed. Plain data,
 * no threads, no librdkafka.
 *
 *     offsets   … 40 41 42 43 44 45 46 47
 *                  done  ^  x  .  x  x  ^        x done, . still out, 44 never existed
 *                        |              |
 *                   processed = 42   position = 48: the next to be handed out
 *
 * Records are handed out in ascending order and are done in any order. Offsets may be missing
 * (compacted topics, markers of transactions): a gap counts as done as soon as what follows it, or
 * the end of the partition, has been seen.
 *
 * A seek or a new assignment is a new tracker; what belongs to an old one must not be told to it.
 */
#ifndef CONNECTORS_KAFKA_OFFSETS_H
#define CONNECTORS_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kafka_offset_entry {
	int64_t offset;
	bool done;
};

struct kafka_offsets {
	int64_t position; /* the next to be handed out is here or above */
	/* A ring of what was handed out from the first that is not done on. */
	struct kafka_offset_entry *ring;
	size_t cap, head, n; /* cap is 0 or a power of two */
	int64_t head_ticket; /* of ring[head] */
	size_t n_out;        /* of them, not done */
};

/* Begins at this offset: all below counts as done. */
void kafka_offsets_init(struct kafka_offsets *offsets, int64_t start);
void kafka_offsets_release(struct kafka_offsets *offsets);

/*
 * A record is handed out. False, and nothing changes: it was handed out before (its offset is below
 * the position). The ticket is what kafka_offsets_done takes.
 */
bool kafka_offsets_take(struct kafka_offsets *offsets, int64_t offset, int64_t *ret_ticket);
/* Takes back the last that was handed out (of that offset), which is not done. */
void kafka_offsets_untake(struct kafka_offsets *offsets, int64_t offset);
/* Nothing is between the position and this offset; below the position it changes nothing. */
void kafka_offsets_reach(struct kafka_offsets *offsets, int64_t offset);
/* A record is done. True: `processed` moved. Each ticket is given back once. */
bool kafka_offsets_done(struct kafka_offsets *offsets, int64_t ticket);

/* All below this are done or never existed: what may be committed. */
int64_t kafka_offsets_processed(const struct kafka_offsets *offsets);

#endif
