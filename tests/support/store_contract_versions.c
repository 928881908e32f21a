/*
 * The contract of which version starts sagas, and of what is known of schedules.
 */
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

#define OPEN(store) struct store *store = store_contract__kinds[_i].open()
#define CLOSE(store) store->ops->close(store)

/* Deploys content number n of `order`; canary -1: as the current one. */
static struct definition_row deploy(struct store *store, int n, int canary)
{
	static char hash[SHA256_HEX_SIZE];
	CLEANUP(free_p) char *doc = xasprintf("{\"n\":%d}", n);
	struct definition_row row = {
		.ns = "default",
		.name = "order",
		.doc = doc,
		.doc_len = strlen(doc),
		.source = "",
		.deployed_at = rows_time(n),
		.canary = canary >= 0,
		.percent = canary >= 0 ? canary : 0,
	};
	struct err err = {0};

	hash_sha256_hex(doc, strlen(doc), hash);
	row.hash = hash;
	ck_assert_msg(store->ops->definition_put(store, &row, &err) == 0, "%s", err.text);
	return row;
}

static int add_routing(void *ctx, const struct routing_row *row)
{
	buf_printf(ctx, "%s/%s %lld<%lld %lld:%d%s%s%s%s%s r%lld\n", row->ns, row->name,
			   (long long)row->current, (long long)row->previous, (long long)row->canary,
			   row->percent, row->paused ? " paused" : "", row->reason ? " " : "",
			   row->reason ? row->reason : "", row->by ? " by " : "", row->by ? row->by : "",
			   (long long)row->revision);
	return 0;
}

static int add_schedule(void *ctx, const struct schedule_row *row)
{
	buf_printf(ctx, "%s/%s%s%s%s %s by %s at %lld r%lld\n", row->ns, row->name,
			   row->paused ? " paused" : "", row->reason ? " " : "", row->reason ? row->reason : "",
			   row->state, row->by ? row->by : "-", (long long)row->updated_at,
			   (long long)row->revision);
	return 0;
}

/* All rows of both kinds, one a line. */
static void expect(struct store *store, const char *ns, const char *name, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct store_reader *reader;
	struct err err;

	buf_init(&text, 0);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->routing_list(reader, ns, name, add_routing, &text, &err), 0);
	ck_assert_int_eq(store->ops->schedule_list(reader, ns, name, add_schedule, &text, &err), 0);
	store->ops->reader_close(reader);
	ck_assert_str_eq(buf_str(&text), expected);
}

START_TEST(test_routing__a_definition_of_which_nothing_was_said_has_none)
{
	OPEN(store);
	deploy(store, 1, -1);
	deploy(store, 2, -1);
	expect(store, NULL, NULL, "");
	expect(store, "default", "order", "");
	CLOSE(store);
}
END_TEST

START_TEST(test_routing__a_canary_pins_the_version_before)
{
	OPEN(store);
	ck_assert_int_eq(deploy(store, 1, 25).version, 1);
	expect(store, NULL, NULL, ""); /* there is nothing beside it */
	ck_assert_int_eq(deploy(store, 2, 25).version, 2);
	expect(store, "default", "order", "default/order 1<0 2:25 r1\n");
	ck_assert(deploy(store, 2, 50).existed);
	ck_assert(deploy(store, 1, -1).existed);
	expect(store, "default", "order", "default/order 1<0 2:25 r1\n");
	ck_assert_int_eq(deploy(store, 3, 0).version, 3);
	expect(store, "default", "order", "default/order 1<0 3:0 r2\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_routing__a_new_version_becomes_the_current_one)
{
	struct routing_row row = {
		.ns = "default", .name = "order", .paused = true, .reason = "why", .by = "ann"};
	OPEN(store);
	struct err err;

	deploy(store, 1, -1);
	deploy(store, 2, 25);
	deploy(store, 3, -1);
	expect(store, NULL, NULL, "default/order 3<1 0:0 r2\n");
	row.revision = 2;
	ck_assert_int_eq(store->ops->routing_put(store, &row, &err), 0);
	expect(store, NULL, NULL, "default/order 0<0 0:0 paused why by ann r3\n");
	deploy(store, 4, -1); /* a pause stays */
	expect(store, NULL, NULL, "default/order 4<3 0:0 paused why r4\n");
	deploy(store, 5, 1);
	expect(store, NULL, NULL, "default/order 4<3 5:1 paused why r5\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_routing__who_did_not_read_the_last_word_is_refused)
{
	struct routing_row ann = {
		.ns = "default", .name = "order", .current = 2, .previous = 1, .by = "ann"};
	struct routing_row bob = ann, lost = ann;
	struct routing_row wrong = {.ns = "default", .name = "order", .percent = 101};
	OPEN(store);
	struct err err;

	bob.by = "bob";
	ck_assert_int_eq(store->ops->routing_put(store, &ann, &err), 0);
	ck_assert_int_eq(ann.revision, 1);
	ck_assert_int_eq(store->ops->routing_put(store, &lost, &err), 0); /* its answer was lost */
	ck_assert_int_eq(lost.revision, 1);
	ck_assert_int_eq(store->ops->routing_put(store, &bob, &err), ERR_CONFLICT);
	ck_assert_int_eq(bob.revision, 0);
	bob.revision = 1;
	ck_assert_int_eq(store->ops->routing_put(store, &bob, &err), 0);
	bob.revision = 1;
	ck_assert_int_eq(store->ops->routing_put(store, &bob, &err), 0);
	ck_assert_int_eq(bob.revision, 2);
	ann.canary = 3;
	ck_assert_int_eq(store->ops->routing_put(store, &ann, &err), ERR_CONFLICT);
	ann.revision = 7;
	ck_assert_int_eq(store->ops->routing_put(store, &ann, &err), ERR_CONFLICT);
	ck_assert_int_eq(store->ops->routing_put(store, &wrong, &err), ERR_INVALID);
	expect(store, NULL, NULL, "default/order 2<1 0:0 by bob r2\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_routing__lists_go_by_namespace_and_name)
{
	static const char *const names[][2] = {{"b", "z"}, {"b", "a"}, {"a", "m"}};
	OPEN(store);
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct routing_row row = {.ns = names[i][0], .name = names[i][1]};
		struct schedule_row schedule = {.ns = names[i][0], .name = names[i][1], .state = "{}"};

		ck_assert_int_eq(store->ops->routing_put(store, &row, &err), 0);
		ck_assert_int_eq(store->ops->schedule_put(store, &schedule, &err), 0);
	}
	expect(store, NULL, NULL,
		   "a/m 0<0 0:0 r1\nb/a 0<0 0:0 r1\nb/z 0<0 0:0 r1\n"
		   "a/m {} by - at 0 r1\nb/a {} by - at 0 r1\nb/z {} by - at 0 r1\n");
	expect(store, "b", NULL,
		   "b/a 0<0 0:0 r1\nb/z 0<0 0:0 r1\nb/a {} by - at 0 r1\nb/z {} by - at 0 r1\n");
	expect(store, "b", "a", "b/a 0<0 0:0 r1\nb/a {} by - at 0 r1\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_schedule__is_written_by_who_read_it)
{
	struct schedule_row row = {.ns = "default",
							   .name = "report/1",
							   .paused = true,
							   .reason = "holiday",
							   .state = "{\"done\":5}",
							   .by = "ann",
							   .updated_at = rows_time(1)};
	struct schedule_row lost = row, other = row, empty = {.ns = "default", .name = "x"};
	OPEN(store);
	struct err err;

	ck_assert_int_eq(store->ops->schedule_put(store, &row, &err), 0);
	ck_assert_int_eq(store->ops->schedule_put(store, &lost, &err), 0);
	ck_assert_int_eq(lost.revision, 1);
	other.state = "{\"done\":6}";
	ck_assert_int_eq(store->ops->schedule_put(store, &other, &err), ERR_CONFLICT);
	row.paused = false;
	row.reason = NULL;
	row.by = NULL;
	row.updated_at = 7;
	ck_assert_int_eq(store->ops->schedule_put(store, &row, &err), 0);
	ck_assert_int_eq(row.revision, 2);
	ck_assert_int_eq(store->ops->schedule_put(store, &empty, &err), ERR_INVALID);
	expect(store, NULL, NULL, "default/report/1 {\"done\":5} by - at 7 r2\n");
	CLOSE(store);
}
END_TEST

void store_contract__add_versions(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_routing__a_definition_of_which_nothing_was_said_has_none, 0, n);
	tcase_add_loop_test(tcase, test_routing__a_canary_pins_the_version_before, 0, n);
	tcase_add_loop_test(tcase, test_routing__a_new_version_becomes_the_current_one, 0, n);
	tcase_add_loop_test(tcase, test_routing__who_did_not_read_the_last_word_is_refused, 0, n);
	tcase_add_loop_test(tcase, test_routing__lists_go_by_namespace_and_name, 0, n);
	tcase_add_loop_test(tcase, test_schedule__is_written_by_who_read_it, 0, n);
}
