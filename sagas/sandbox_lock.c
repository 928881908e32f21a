/*
 * The lines before locks: who asked first comes first, for all of its keys or for none; a key has
 * one holder.
 */
#include "sagas/sandbox_priv.h"

#include <string.h>

static bool share_a_key(const json_t *a, const json_t *b)
{
	size_t i, j;

	for (i = 0; i < json_array_size(a); i++)
		for (j = 0; j < json_array_size(b); j++)
			if (json_equal(json_array_get(a, i), json_array_get(b, j)))
				return true;
	return false;
}

static void drop_ticket(struct sandbox *sandbox, size_t i)
{
	json_decref(sandbox->tickets[i].keys);
	memmove(&sandbox->tickets[i], &sandbox->tickets[i + 1],
			(sandbox->n_tickets - i - 1) * sizeof(*sandbox->tickets));
	sandbox->n_tickets--;
}

static struct ticket *add_ticket(struct sandbox *sandbox, struct sandbox_saga *saga, int step,
								 int item, json_t *keys)
{
	struct ticket *ticket;

	sandbox->tickets =
		xrealloc_array(sandbox->tickets, sandbox->n_tickets + 1, sizeof(*sandbox->tickets));
	ticket = &sandbox->tickets[sandbox->n_tickets++];
	*ticket = (struct ticket){saga, step, item, json_deep_copy(keys), 0};
	return ticket;
}

/* Nobody who asked before has, or waits for, one of its keys. */
static bool is_first(const struct sandbox *sandbox, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (share_a_key(sandbox->tickets[i].keys, sandbox->tickets[j].keys))
			return false;
	return true;
}

struct grant {
	struct sandbox_saga *saga;
	int step, item;
	int64_t token;
};

static bool still_has(const struct grant *grant)
{
	const struct sandbox *sandbox = grant->saga->sandbox;
	size_t i;

	for (i = 0; i < sandbox->n_tickets; i++)
		if (sandbox->tickets[i].saga == grant->saga && sandbox->tickets[i].token == grant->token)
			return true;
	return false;
}

static void granted(void *ctx)
{
	struct grant *grant = ctx;
	struct input in = {
		.type = INPUT_LOCK,
		.step = grant->step,
		.item = grant->item,
		.token = grant->token,
	};

	if (still_has(grant))
		sandbox__tell(grant->saga, &in);
	free(grant);
}

static void grant_all(struct sandbox *sandbox)
{
	struct grant *grant;
	size_t i;

	for (i = 0; i < sandbox->n_tickets; i++) {
		struct ticket *ticket = &sandbox->tickets[i];

		if (ticket->token || !is_first(sandbox, i))
			continue;
		ticket->token = ++sandbox->last_token;
		grant = xcalloc(1, sizeof(*grant));
		*grant = (struct grant){ticket->saga, ticket->step, ticket->item, ticket->token};
		sandbox_at(sandbox, sandbox->now, granted, free, grant);
	}
}

void sandbox__locks(struct sandbox_saga *saga, const struct decision *decision)
{
	struct sandbox *sandbox = saga->sandbox;
	size_t i, j;

	if (decision->n_locks == 0 && !decision->release_all_locks)
		return;
	for (j = sandbox->n_tickets; decision->release_all_locks && j-- > 0;)
		if (sandbox->tickets[j].saga == saga)
			drop_ticket(sandbox, j);
	for (i = 0; i < decision->n_locks; i++) {
		const struct lock_wish *wish = &decision->locks[i];

		if (!wish->release) {
			add_ticket(sandbox, saga, wish->step, wish->item,
					   json_object_get(jval_json(wish->lock), "keys"));
			continue;
		}
		for (j = sandbox->n_tickets; j-- > 0;)
			if (sandbox->tickets[j].saga == saga && sandbox->tickets[j].step == wish->step &&
				sandbox->tickets[j].item == wish->item)
				drop_ticket(sandbox, j);
	}
	grant_all(sandbox);
}

/* Somebody else. */
struct stranger {
	struct sandbox *sandbox;
	int64_t token;
};

static void stranger_goes(void *ctx)
{
	struct stranger *stranger = ctx;
	struct sandbox *sandbox = stranger->sandbox;
	size_t i;

	for (i = sandbox->n_tickets; i-- > 0;)
		if (sandbox->tickets[i].token == stranger->token)
			drop_ticket(sandbox, i);
	free(stranger);
	grant_all(sandbox);
}

void sandbox_hold(struct sandbox *sandbox, json_t *keys, wall_ms until)
{
	struct stranger *stranger = xcalloc(1, sizeof(*stranger));
	struct ticket *ticket = add_ticket(sandbox, NULL, -1, -1, keys);

	ticket->token = ++sandbox->last_token;
	*stranger = (struct stranger){sandbox, ticket->token};
	sandbox_at(sandbox, until, stranger_goes, free, stranger);
}

void sandbox__free_locks(struct sandbox *sandbox)
{
	while (sandbox->n_tickets > 0)
		drop_ticket(sandbox, sandbox->n_tickets - 1);
	free(sandbox->tickets);
}
