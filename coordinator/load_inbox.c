/* Reading the inbox, and events that came before a saga waited for them. Declared in turn.h. */
#include <string.h>

#include "coordinator/turn.h"

enum {
	PAGE_ROWS = 500,
	PAGE_BYTES = 8 * 1024 * 1024,
	EARLY_ROWS = 100, /* fewer than may wait for one saga */
	PAGE_IS_FULL = 1,
};

struct inbox_read *inbox_read_new(void)
{
	return xcalloc(1, sizeof(struct inbox_read));
}

static void free_list(struct mail *mail)
{
	while (mail) {
		struct mail *next = mail->next;

		delivery_free(CONTAINER_OF(mail, struct delivery, mail));
		mail = next;
	}
}

void inbox_read_clear(struct inbox_read *read)
{
	free_list(TAKE(read->deliveries));
	read->result = 0;
	read->more = false;
}

void inbox_read_free(struct inbox_read *read)
{
	if (!read)
		return;
	free_list(read->deliveries);
	free(read->slots);
	free(read->after_id);
	free(read);
}

struct page {
	struct inbox_read *read;
	struct mail **tail;
	int rows;
	size_t bytes;
};

/* Where the next page begins. */
static void remember(struct inbox_read *read, const struct inbox_row *row)
{
	read->after_at = row->at;
	free(read->after_id);
	read->after_id = xstrdup(read->early ? row->event_id : row->id);
}

/* Rows of one event belong together, since the next page begins behind all of them. */
static bool is_of_last_event(const struct inbox_read *read, const struct inbox_row *row)
{
	return read->early && read->after_id && strcmp(read->after_id, row->event_id) == 0;
}

/* What cannot be read has a result. */
static struct delivery *row_delivery(const struct inbox_row *row)
{
	struct delivery *delivery = NULL;
	struct err err;

	if (delivery_read(row->message, row->message_len, &delivery, &err) < 0) {
		delivery = delivery_new(DELIVERY_REPLY);
		delivery->err = err;
		delivery->result = err.code;
	}
	memcpy(delivery->ns, row->ns, strnlen(row->ns, sizeof(delivery->ns) - 1));
	memcpy(delivery->saga_id, row->saga_id, sizeof(delivery->saga_id));
	memcpy(delivery->inbox_id, row->id, sizeof(delivery->inbox_id));
	return delivery;
}

static int add_row(void *ctx, const struct inbox_row *row)
{
	struct page *page = ctx;
	struct delivery *delivery;

	if (page->bytes > PAGE_BYTES && !is_of_last_event(page->read, row))
		return PAGE_IS_FULL;
	delivery = row_delivery(row);
	*page->tail = &delivery->mail;
	page->tail = &delivery->mail.next;
	page->rows++;
	page->bytes += row->message_len;
	remember(page->read, row);
	return 0;
}

static int read_page(struct store_reader *reader, struct inbox_read *read, struct page *page)
{
	const struct store_ops *ops = reader->store->ops;
	const char *after_id = read->after_id ? read->after_id : "";
	struct inbox_page rows = {
		.slots = read->slots,
		.n_slots = read->n_slots,
		.after_at = read->after_at,
		.limit = PAGE_ROWS,
	};
	char *after;
	int r;

	if (!read->early) {
		memcpy(rows.after_id, after_id, strnlen(after_id, sizeof(rows.after_id) - 1));
		return ops->inbox_list(reader, &rows, add_row, page, &read->err);
	}
	after = xstrdup(after_id); /* remember changes the other one under way */
	r = ops->early_events(reader, saga_id_slot(read->saga_id), read->saga_id, read->after_at, after,
						  EARLY_ROWS, add_row, page, &read->err);
	free(after);
	return r;
}

void load_inbox(struct store_reader *reader, struct inbox_read *read)
{
	struct page page = {.read = read, .tail = &read->deliveries};
	int r;

	inbox_read_clear(read);
	r = read_page(reader, read, &page);
	read->more =
		r == PAGE_IS_FULL || (r == 0 && page.rows >= (read->early ? EARLY_ROWS : PAGE_ROWS));
	if (r < 0) {
		inbox_read_clear(read);
		read->result = r;
	}
}
