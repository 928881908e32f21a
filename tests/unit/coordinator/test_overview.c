/* The overview over a store that answers what it is told, and counts how often it is asked. */
#include "coordinator/overview.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>

#include "coordinator/clock.h"
#include "coordinator/node.h"
#include "tests/support/openapi_schema.h"

static int n_reads;
static int n_running;
static struct rate_row rate_rows[8];
static size_t n_rates;

static int counts(struct store_reader *reader, const char *ns, int64_t n[SAGA_STATUS_COUNT],
				  struct err *err)
{
	(void)reader, (void)ns, (void)err;
	n_reads++;
	if (n_running < 0)
		return err_set(err, ERR_UNAVAILABLE, "the store is away");
	n[SAGA_RUNNING] = n_running;
	return 0;
}

static int list(struct store_reader *reader, struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	struct saga_row saga = {.id = "0198c0de-7a31-7abc-bf11-223344556677",
							.ns = filter->ns,
							.definition = "order",
							.version = 1,
							.status = SAGA_RUNNING,
							.started_at = 1767225600000,
							.updated_at = 1767225600000};

	(void)reader, (void)err;
	ck_assert(filter->oldest_first);
	ck_assert_uint_eq(filter->status_mask & (1u << SAGA_COMPLETED), 0);
	ck_assert_uint_ne(filter->status_mask & (1u << SAGA_COMPENSATION_FAILED), 0);
	return row(ctx, &saga) == 0 ? row(ctx, &saga) : 0;
}

static int definition_list(struct store_reader *reader, const char *ns, const char *name,
						   int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						   struct err *err)
{
	struct definition_row definition = {.name = "order"};

	(void)reader, (void)ns, (void)err;
	ck_assert_ptr_null(name);
	return row(ctx, &definition);
}

static int attention_list(struct store_reader *reader, const char *ns, int limit,
						  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
						  struct err *err)
{
	struct attention_group_row stuck = {.kind = "stuck", .n = 4},
							   known = {.kind = "parked", .n = 2, .acknowledged_by = "ann"},
							   newer = {.kind = "of a later version", .n = 1};

	(void)reader, (void)ns, (void)limit, (void)err;
	row(ctx, &stuck);
	row(ctx, &newer);
	return row(ctx, &known);
}

static int rates(struct store_reader *reader, const char *ns, wall_ms from, wall_ms until,
				 int (*row)(void *ctx, const struct rate_row *row), void *ctx, struct err *err)
{
	(void)reader, (void)ns, (void)err;
	ck_assert_int_eq(from % 60000, 0);
	for (size_t i = 0; i < n_rates; i++) {
		if (rate_rows[i].at >= from && rate_rows[i].at < until)
			row(ctx, &rate_rows[i]);
	}
	return 0;
}

static const struct store_ops ops = {
	.counts = counts,
	.list = list,
	.definition_list = definition_list,
	.attention_list = attention_list,
	.rates = rates,
};
static struct store store = {.ops = &ops};
static struct store_reader reader = {.store = &store};
static struct node node = {.store = &store, .address = "http://127.0.0.1:1"};
static struct overview *overview;
static struct buf out;

static void setup(void)
{
	struct err err;
	const struct http_participant participants[] = {{.name = "bank", .url = "http://127.0.0.1:1"}};

	clock_start();
	n_reads = n_running = 0;
	n_rates = 0;
	ck_assert(http_client_start(participants, 1, &node.http, &err) == 0);
	overview = overview_new(&node);
	buf_init(&out, 0);
}

static void teardown(void)
{
	overview_free(overview);
	http_client_stop(node.http, 0);
	buf_release(&out);
}

static json_t *get(const char *ns, int minutes, char tag[OVERVIEW_TAG_SIZE])
{
	struct err err;
	json_t *json;

	buf_clear(&out);
	ck_assert_msg(overview_get(overview, &reader, ns, minutes, &out, tag, &err) == 0, "%s",
				  err.text);
	json = json_loads(buf_str(&out), 0, NULL);
	ck_assert_msg(json != NULL, "no JSON: %s", buf_str(&out));
	return json;
}

static json_int_t number(const json_t *json, const char *name, const char *within)
{
	return json_integer_value(json_object_get(json_object_get(json, name), within));
}

START_TEST(test_overview__is_what_the_api_says)
{
	json_t *json = get("default", 60, NULL);

	ck_assert_int_eq(openapi_violations("Overview", json), 0);
	ck_assert_int_eq(number(json, "attention", "total"), 7);
	ck_assert_int_eq(number(json, "attention", "groups"), 3);
	ck_assert_int_eq(number(json, "attention", "unacknowledged"), 2);
	ck_assert_int_eq(number(json_object_get(json, "attention"), "kinds", "stuck"), 4);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "oldest")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "rates")), 60);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "participants")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "definitions")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "nodes")), 1);
	json_decref(json);
}
END_TEST

START_TEST(test_overview__one_read_serves_all_who_ask)
{
	char first[OVERVIEW_TAG_SIZE], second[OVERVIEW_TAG_SIZE];

	json_decref(get("default", 60, first));
	n_running = 1;
	for (int i = 0; i < 100; i++)
		json_decref(get("default", 60, second));
	/* Unless the second was over meanwhile. */
	ck_assert_int_le(n_reads, 2);
	if (n_reads == 1)
		ck_assert_str_eq(first, second);
	json_decref(get("default", 30, NULL));
	json_decref(get("other", 60, NULL));
	ck_assert_int_ge(n_reads, 3);
}
END_TEST

/* A tag says whether something has changed; the time alone is no change. */
START_TEST(test_overview__tags)
{
	char first[OVERVIEW_TAG_SIZE], same[OVERVIEW_TAG_SIZE], other[OVERVIEW_TAG_SIZE];
	struct overview *elsewhere = overview_new(&node);
	struct err err;

	json_decref(get("default", 60, first));
	buf_clear(&out);
	/* A minute may begin between the two, and then they do differ. */
	for (int i = 0; i < 2; i++) {
		json_decref(get("default", 60, first));
		ck_assert(overview_get(elsewhere, &reader, "default", 60, &out, same, &err) == 0);
	}
	ck_assert_str_eq(first, same);
	overview_free(elsewhere);
	elsewhere = overview_new(&node);
	n_running = 5;
	ck_assert(overview_get(elsewhere, &reader, "default", 60, &out, other, &err) == 0);
	ck_assert_str_ne(first, other);
	overview_free(elsewhere);
}
END_TEST

START_TEST(test_overview__a_failure_is_not_kept)
{
	struct err err;

	n_running = -1;
	ck_assert_int_eq(overview_get(overview, &reader, "default", 60, &out, NULL, &err),
					 ERR_UNAVAILABLE);
	ck_assert(!overview_known(overview, "default", 60, &out, NULL));
	n_running = 3;
	json_decref(get("default", 60, NULL));
	ck_assert(overview_known(overview, "default", 60, &out, NULL));
}
END_TEST

START_TEST(test_overview__keeps_a_bounded_number)
{
	char ns[16];

	for (int i = 0; i < 100; i++) {
		snprintf(ns, sizeof(ns), "ns-%d", i);
		json_decref(get(ns, 60, NULL));
	}
	ck_assert_int_eq(n_reads, 100);
	buf_clear(&out);
	ck_assert(!overview_known(overview, "ns-0", 60, &out, NULL));
}
END_TEST

static json_t *read_rates(int minutes, wall_ms now)
{
	struct err err;
	json_t *json;

	buf_clear(&out);
	ck_assert_int_eq(overview_rates(&reader, "default", minutes, now, &out, &err), 0);
	json = json_loads(buf_str(&out), 0, NULL);
	ck_assert_ptr_nonnull(json);
	return json;
}

START_TEST(test_overview__rates_have_no_holes)
{
	const wall_ms hour = 1767225600000; /* 2026-01-01T00:00:00Z */
	json_t *json;

	rate_rows[0] = (struct rate_row){.at = hour - 60000, .started = 9};
	rate_rows[1] = (struct rate_row){.at = hour, .started = 1, .attention = 7};
	rate_rows[2] = (struct rate_row){.at = hour + 2 * 60000, .completed = 2, .failed = 3};
	rate_rows[3] = (struct rate_row){.at = hour + 4 * 60000, .terminated = 4};
	n_rates = 4;
	json = read_rates(5, hour + 4 * 60000 + 59999);
	ck_assert_uint_eq(json_array_size(json), 5);
	for (size_t i = 0; i < 5; i++) {
		const json_t *row = json_array_get(json, i);
		char at[TIME_TEXT_SIZE];

		time_format(hour + (wall_ms)i * 60000, at);
		ck_assert_str_eq(json_string_value(json_object_get(row, "at")), at);
		ck_assert_int_eq(json_integer_value(json_object_get(row, "started")), i == 0);
		ck_assert_int_eq(json_integer_value(json_object_get(row, "failed")), i == 2 ? 3 : 0);
		ck_assert_int_eq(json_integer_value(json_object_get(row, "terminated")), i == 4 ? 4 : 0);
	}
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json, 0), "attention")), 7);
	json_decref(json);
	/* A minute begins. */
	json = read_rates(1, hour);
	ck_assert_uint_eq(json_array_size(json), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json, 0), "started")), 1);
	json_decref(json);
	n_rates = 0;
	json = read_rates(1440, hour);
	ck_assert_uint_eq(json_array_size(json), 1440);
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overview");
	TCase *tc = tcase_create("overview");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_overview__is_what_the_api_says);
	tcase_add_test(tc, test_overview__one_read_serves_all_who_ask);
	tcase_add_test(tc, test_overview__tags);
	tcase_add_test(tc, test_overview__a_failure_is_not_kept);
	tcase_add_test(tc, test_overview__keeps_a_bounded_number);
	tcase_add_test(tc, test_overview__rates_have_no_holes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
