/* The rows come in no order, and are put into one at the end. */
#include "coordinator/definition_counts.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct definition_counts counts;
	size_t cap;
};

static int add_row(void *ctx, const struct definition_count_row *row)
{
	struct reading *reading = ctx;
	struct definition_counts *counts = &reading->counts;
	struct definition_count *last = counts->n > 0 ? &counts->list[counts->n - 1] : NULL;

	if (!last || last->version != row->version || strcmp(last->definition, row->definition) != 0) {
		if (counts->n == reading->cap) {
			reading->cap = reading->cap ? reading->cap * 2 : 16;
			counts->list = xrealloc_array(counts->list, reading->cap, sizeof(*counts->list));
		}
		last = &counts->list[counts->n++];
		*last = (struct definition_count){.definition = xstrdup(row->definition),
										  .version = row->version};
	}
	last->n[row->status] += row->n;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct definition_count *one = a, *other = b;
	int order = strcmp(one->definition, other->definition);

	return order ? order : (one->version > other->version) - (one->version < other->version);
}

int definition_counts_read(struct store_reader *reader, const char *ns, const char *definition,
						   struct definition_counts *ret_counts, struct err *err)
{
	struct reading reading = {0};
	int r;

	r = reader->store->ops->definition_counts(reader, ns, definition, add_row, &reading, err);
	if (r < 0) {
		definition_counts_release(&reading.counts);
		return r;
	}
	if (reading.counts.n > 0)
		qsort(reading.counts.list, reading.counts.n, sizeof(*reading.counts.list), compare);
	*ret_counts = reading.counts;
	return 0;
}

void definition_counts_release(struct definition_counts *counts)
{
	for (size_t i = 0; i < counts->n; i++)
		free(counts->list[i].definition);
	free(counts->list);
	*counts = (struct definition_counts){0};
}

/* The first row that is not before it. */
static size_t find(const struct definition_counts *counts, const char *definition, int64_t version)
{
	const struct definition_count wanted = {.definition = (char *)definition, .version = version};
	size_t low = 0, high = counts->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&counts->list[mid], &wanted) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void definition_counts_write(const struct definition_counts *counts, const char *definition,
							 int64_t version, struct buf *out)
{
	int64_t n[SAGA_STATUS_COUNT] = {0};

	for (size_t i = find(counts, definition, version); i < counts->n; i++) {
		const struct definition_count *row = &counts->list[i];

		if (strcmp(row->definition, definition) != 0 || (version && row->version != version))
			break;
		for (int k = 0; k < SAGA_STATUS_COUNT; k++)
			n[k] += row->n[k];
	}
	buf_add_char(out, '{');
	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 0 ? "," : "", saga_status_text(i), (long long)n[i]);
	buf_add_char(out, '}');
}
