/* What has been done with the records of one partition; see the header. */
#include "connectors/kafka_offsets.h"

#include <stdlib.h>

#include "sagas/base/macros.h"

void kafka_offsets_init(struct kafka_offsets *offsets, int64_t start)
{
	*offsets = (struct kafka_offsets){.position = start};
}

void kafka_offsets_release(struct kafka_offsets *offsets)
{
	free(offsets->ring);
	*offsets = (struct kafka_offsets){0};
}

static struct kafka_offset_entry *entry_at(const struct kafka_offsets *offsets, size_t i)
{
	return &offsets->ring[(offsets->head + i) & (offsets->cap - 1)];
}

static void grow(struct kafka_offsets *offsets)
{
	size_t cap = offsets->cap ? offsets->cap * 2 : 64;
	struct kafka_offset_entry *ring = xcalloc(cap, sizeof(*ring));

	for (size_t i = 0; i < offsets->n; i++)
		ring[i] = *entry_at(offsets, i);
	free(offsets->ring);
	offsets->ring = ring;
	offsets->cap = cap;
	offsets->head = 0;
}

bool kafka_offsets_take(struct kafka_offsets *offsets, int64_t offset, int64_t *ret_ticket)
{
	if (offset < offsets->position)
		return false;
	if (offsets->n == offsets->cap)
		grow(offsets);
	*entry_at(offsets, offsets->n) = (struct kafka_offset_entry){.offset = offset};
	*ret_ticket = offsets->head_ticket + (int64_t)offsets->n;
	offsets->n++;
	offsets->n_out++;
	offsets->position = offset + 1;
	return true;
}

void kafka_offsets_untake(struct kafka_offsets *offsets, int64_t offset)
{
	struct kafka_offset_entry *last;

	CHECK(offsets->n > 0);
	last = entry_at(offsets, offsets->n - 1);
	CHECK(last->offset == offset && !last->done);
	offsets->n--;
	offsets->n_out--;
	offsets->position = offset;
}

void kafka_offsets_reach(struct kafka_offsets *offsets, int64_t offset)
{
	if (offset > offsets->position)
		offsets->position = offset;
}

bool kafka_offsets_done(struct kafka_offsets *offsets, int64_t ticket)
{
	int64_t i = ticket - offsets->head_ticket;
	struct kafka_offset_entry *entry;

	CHECK(i >= 0 && i < (int64_t)offsets->n);
	entry = entry_at(offsets, (size_t)i);
	CHECK(!entry->done);
	entry->done = true;
	offsets->n_out--;
	if (i != 0)
		return false;
	while (offsets->n > 0 && offsets->ring[offsets->head].done) {
		offsets->head = (offsets->head + 1) & (offsets->cap - 1);
		offsets->head_ticket++;
		offsets->n--;
	}
	return true;
}

int64_t kafka_offsets_processed(const struct kafka_offsets *offsets)
{
	return offsets->n > 0 ? offsets->ring[offsets->head].offset : offsets->position;
}
