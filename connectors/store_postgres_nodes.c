/*
 * Membership: leases by the database's clock, and slots with their tokens. It has a connection of
 * its own, so that a lease is renewed while the writer waits for a long commit.
 *
 * Who takes a slot first ends the connections of its old owner: a transaction that one of them left
 * open would hold the fence. Then it changes the token, which waits for commits that are under way,
 * and commits; whoever reads the slot's sagas after that reads all there will ever be of the old
 * owner. What the old owner sends later does not pass the fence.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

static void copy_id(struct store_postgres *s, char id[NODE_ID_SIZE])
{
	pthread_mutex_lock(&s->mutex);
	memcpy(id, s->node_id, NODE_ID_SIZE);
	pthread_mutex_unlock(&s->mutex);
}

int pg__keep_tokens(struct store_postgres *s, const PGresult *result, bool *own, struct err *err)
{
	struct pg_uuid token;

	for (int row = 0; row < PQntuples(result); row++) {
		int64_t slot = pg__int(result, row, 0);

		if (slot < 0 || slot >= s->slot_count ||
			!pg__uuid_parse(PQgetvalue(result, row, 1), &token))
			return err_set(err, ERR_INTERNAL, "slot %lld is not one of this store's",
						   (long long)slot);
		pthread_mutex_lock(&s->mutex);
		s->tokens[slot] = token;
		pthread_mutex_unlock(&s->mutex);
		if (own)
			own[slot] = true;
	}
	return 0;
}

int pg__take_all(struct store_postgres *s, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	char id[NODE_ID_SIZE];
	int r;

	copy_id(s, id);
	pg__arg_text(&args, id);
	r = pg__ask(&s->member, PG_TAKE_ALL, &args, &result, err);
	if (r < 0)
		return r;
	pg__disconnect(&s->member); /* a store of one process needs it no more */
	return pg__keep_tokens(s, result, NULL, err);
}

int pg__node_join(struct store *store, const char *address, int64_t lease_ms,
				  char ret_id[NODE_ID_SIZE], struct err *err)
{
	struct store_postgres *s = pg__from(store);
	struct pg_args args = {0};
	char id[NODE_ID_SIZE];
	int r;

	/* The first time, the id is the one under which the store was opened. */
	if (s->joined)
		pg__new_identity(s);
	s->joined = true;
	copy_id(s, id);
	pg__arg_text(&args, id);
	pg__arg_text(&args, address);
	pg__arg_text(&args, SKALD_VERSION);
	pg__arg_int(&args, lease_ms);
	r = pg__ask(&s->member, PG_SWEEP, NULL, NULL, err);
	if (r == 0)
		r = pg__ask(&s->member, PG_JOIN, &args, NULL, err);
	if (r == 0)
		memcpy(ret_id, id, NODE_ID_SIZE);
	return r;
}

/* Queues one of several statements that leave together. */
static bool queue(struct pg_conn *conn, enum pg_statement which, const struct pg_args *args)
{
	static const struct pg_args none = {0};
	char name[24];

	args = args ? args : &none;
	snprintf(name, sizeof(name), "skald_%d", (int)which);
	return PQsendQueryPrepared(conn->pg, name, args->n, args->values, args->lengths, args->formats,
							   0);
}

/* Runs statements that are prepared in one round trip and one transaction. */
static int run_together(struct pg_conn *conn, const enum pg_statement *which,
						const struct pg_args *const *args, PGresult **results, size_t n,
						struct pg_failure *failure)
{
	int64_t deadline = pg__mono_ms() + PG_ANSWER_MS;
	bool alive = PQenterPipelineMode(conn->pg), synced = false;
	PGresult *result;
	size_t done = 0;

	*failure = (struct pg_failure){0};
	for (size_t i = 0; alive && i < n; i++)
		alive = queue(conn, which[i], args[i]);
	alive = alive && PQpipelineSync(conn->pg) && pg__flush(conn, deadline);
	while (alive && !synced) {
		alive = pg__next_result(conn, deadline, &result);
		synced = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		if (result && PQresultStatus(result) == PGRES_FATAL_ERROR && !failure->fault)
			pg__judge(result, failure);
		if (result && done < n &&
			(PQresultStatus(result) == PGRES_TUPLES_OK ||
			 PQresultStatus(result) == PGRES_COMMAND_OK))
			results[done++] = TAKE(result);
		PQclear(result);
	}
	if (!alive || !PQexitPipelineMode(conn->pg)) {
		failure->fault = PG_FAULT_LOST;
		snprintf(failure->text, sizeof(failure->text), "the connection to Postgres broke");
	}
	if (failure->fault == PG_FAULT_LOST || failure->stale)
		pg__disconnect(conn);
	return failure->fault || done < n ? -1 : 0;
}

static void clear_results(PGresult *(*results)[3])
{
	for (int i = 0; i < 3; i++)
		PQclear((*results)[i]);
}

static void read_node(const PGresult *result, int row, struct node_row *ret_node)
{
	*ret_node = (struct node_row){
		.started_at = pg__int(result, row, 3),
		.renewed_at = pg__int(result, row, 4),
		.alive = pg__int(result, row, 5) != 0,
		.draining = pg__int(result, row, 6) != 0,
	};
	PG_COPY(result, row, 0, ret_node->id);
	PG_COPY(result, row, 1, ret_node->address);
	PG_COPY(result, row, 2, ret_node->version);
}

static int find_node(const struct membership *membership, const char *id)
{
	for (size_t i = 0; i < membership->n_nodes; i++)
		if (strcmp(membership->nodes[i].id, id) == 0)
			return (int)i;
	return -1;
}

static void read_membership(const struct store_postgres *s, const PGresult *nodes,
							const PGresult *owners, const char *self,
							struct membership *ret_membership)
{
	struct membership membership = {.n_nodes = (size_t)PQntuples(nodes)};
	int owner = -1;

	membership.nodes = xcalloc(membership.n_nodes + 1, sizeof(*membership.nodes));
	membership.slot_owner = xcalloc((size_t)s->slot_count, sizeof(*membership.slot_owner));
	for (int i = 0; i < PQntuples(nodes); i++)
		read_node(nodes, i, &membership.nodes[i]);
	for (int slot = 0; slot < s->slot_count; slot++)
		membership.slot_owner[slot] = -1;
	for (int row = 0; row < PQntuples(owners); row++) {
		int64_t slot = pg__int(owners, row, 0);
		const char *id = PQgetvalue(owners, row, 1);

		if (slot < 0 || slot >= s->slot_count)
			continue;
		/* Neighbours often have the same owner. */
		if (owner < 0 || strcmp(membership.nodes[owner].id, id) != 0)
			owner = find_node(&membership, id);
		membership.slot_owner[slot] = owner;
		if (owner >= 0)
			membership.nodes[owner].n_slots++;
	}
	membership.self = self ? find_node(&membership, self) : -1;
	*ret_membership = membership;
}

/* Prepares on a connection that may be new. */
static int prepare_all(struct pg_conn *conn, const enum pg_statement *which, size_t n,
					   struct err *err)
{
	struct pg_failure failure;
	int r = pg__connect(conn, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (pg__prepare_now(conn, which[i], &failure) < 0)
			return err_set(err, ERR_UNAVAILABLE, "Postgres: %s", failure.text);
	return 0;
}

int pg__node_renew(struct store *store, bool draining, struct membership *ret_membership,
				   struct err *err)
{
	static const enum pg_statement which[] = {PG_RENEW, PG_NODES, PG_OWNERS};
	struct store_postgres *s = pg__from(store);
	struct pg_conn *conn = &s->member;
	CLEANUP(clear_results) PGresult *results[3] = {NULL, NULL, NULL};
	struct pg_args args = {0};
	const struct pg_args *all[] = {&args, NULL, NULL};
	struct pg_failure failure;
	char id[NODE_ID_SIZE];
	int r;

	copy_id(s, id);
	pg__arg_text(&args, id);
	pg__arg_text(&args, draining ? "t" : "f");
	pg__notice_hangup(conn);
	r = prepare_all(conn, which, ARRAY_SIZE(which), err);
	if (r < 0)
		return r;
	if (run_together(conn, which, all, results, ARRAY_SIZE(which), &failure) < 0)
		/* Whether it was renewed does not matter: the caller counts from before it asked. */
		return err_set(err, ERR_UNAVAILABLE, "cannot renew the lease: %s", failure.text);
	read_membership(s, results[1], results[2], id, ret_membership);
	return 0;
}

static void slots_array(struct pg_array *array, const int *slots, size_t n)
{
	pg__array_reset(array, PG_INT4);
	for (size_t i = 0; i < n; i++)
		pg__add_int4(array, slots[i]);
	pg__array_finish(array);
}

/* Forgets tokens, so that the next commit is refused here already. */
static void forget(struct store_postgres *s, const int *slots, size_t n)
{
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < n; i++)
		if (slots[i] >= 0 && slots[i] < s->slot_count)
			s->tokens[slots[i]] = (struct pg_uuid){0};
	pthread_mutex_unlock(&s->mutex);
}

int pg__slots_acquire(struct store *store, const int *slots, size_t n, bool *ret_got,
					  struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(pg__array_release) struct pg_array wanted = {0};
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(free_p) bool *own = xcalloc((size_t)s->slot_count, sizeof(*own));
	struct pg_args args = {0};
	char id[NODE_ID_SIZE];
	int r;

	copy_id(s, id);
	slots_array(&wanted, slots, n);
	pg__arg_array(&args, &wanted);
	pg__arg_text(&args, id);
	r = pg__ask(&s->member, PG_TERMINATE_EXPIRED, &args, NULL, err);
	/* Twice is no harm: a slot of ours gets another token, and we have the last one. */
	if (r == 0)
		r = pg__ask(&s->member, PG_ACQUIRE, &args, &result, err);
	if (r == 0)
		r = pg__keep_tokens(s, result, own, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		ret_got[i] = slots[i] >= 0 && slots[i] < s->slot_count && own[slots[i]];
	return 0;
}

int pg__slots_release(struct store *store, const int *slots, size_t n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(pg__array_release) struct pg_array given = {0};
	struct pg_args args = {0};
	char id[NODE_ID_SIZE];

	copy_id(s, id);
	forget(s, slots, n);
	slots_array(&given, slots, n);
	pg__arg_array(&args, &given);
	pg__arg_text(&args, id);
	return pg__ask(&s->member, PG_RELEASE, &args, NULL, err);
}

int pg__node_leave(struct store *store, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	struct pg_args args = {0};
	char id[NODE_ID_SIZE];
	int r;

	copy_id(s, id);
	for (int slot = 0; slot < s->slot_count; slot++)
		forget(s, &slot, 1);
	pg__arg_text(&args, id);
	r = pg__ask(&s->member, PG_RELEASE_ALL, &args, NULL, err);
	return r < 0 ? r : pg__ask(&s->member, PG_LEAVE, &args, NULL, err);
}

int pg__nodes(struct store_reader *reader, struct membership *ret_membership, struct err *err)
{
	struct pg_conn *conn = pg__reader_conn(reader);
	CLEANUP(PQclear_p) PGresult *nodes = NULL, *owners = NULL;
	char id[NODE_ID_SIZE];
	int r = pg__ask(conn, PG_NODES, NULL, &nodes, err);

	if (r == 0)
		r = pg__ask(conn, PG_OWNERS, NULL, &owners, err);
	if (r < 0)
		return r;
	copy_id(pg__from(reader->store), id);
	read_membership(pg__from(reader->store), nodes, owners, id, ret_membership);
	return 0;
}
