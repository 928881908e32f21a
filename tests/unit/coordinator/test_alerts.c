/* When persons are told of a group, what they are told, and what is remembered of it. */
#include "coordinator/alerts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/schema.h"
#include "schemas/embedded.h"

#define NOW INT64_C(1767225600000)
#define HOUR INT64_C(3600000)
#define REPEAT (4 * HOUR)

static struct attention_group_row group(int64_t n)
{
	return (struct attention_group_row){
		.ns = "default",
		.id = "0123456789abcdef",
		.definition = "order",
		.kind = "stuck",
		.step = "charge",
		.side = "undo",
		.code = "http_503",
		.message = "charge: the compensation failed: http_503: \"down\"",
		.sample = "0198c0de-7a31-7abc-bf11-223344556677",
		.n = n,
		.first_seen_at = NOW - 10 * HOUR,
		.last_seen_at = NOW,
	};
}

START_TEST(test_alerts__tells_what_is_new_growing_still_there_or_repaired)
{
	static const struct {
		int64_t n, notified_n;
		wall_ms notified_at;
		const char *acknowledged_by;
		int reason;
		wall_ms acknowledged_at; /* 0: NOW */
	} cases[] = {
		{1, 0, 0, NULL, ALERT_NEW},
		{0, 0, 0, NULL, -1},
		{1, 0, 0, "ana", -1},
		{2, 1, NOW - 1, NULL, -1},
		{9, 1, NOW - 1, NULL, -1},
		{10, 1, NOW - 1, NULL, ALERT_GROWING},
		{10, 1, NOW - 1, "ana", -1},
		{10, 2, NOW - REPEAT + 1, NULL, -1},
		{10, 2, NOW - REPEAT, NULL, ALERT_STILL},
		{10, 2, NOW - REPEAT, "ana", -1},
		{0, 2, NOW - 1, NULL, ALERT_REPAIRED},
		{0, 2, NOW - 1, "ana", ALERT_REPAIRED},
		{-1, 2, NOW - 1, NULL, ALERT_REPAIRED},
		/* What was said and told of the trouble before this one. */
		{1, 2, NOW - 10 * HOUR - 1, NULL, ALERT_NEW},
		{1, 0, 0, "ana", ALERT_NEW, NOW - 10 * HOUR - 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attention_group_row row = group(cases[i].n);

		row.notified_n = cases[i].notified_n;
		row.notified_at = cases[i].notified_at;
		row.acknowledged_by = cases[i].acknowledged_by;
		row.acknowledged_at = cases[i].acknowledged_at ? cases[i].acknowledged_at : NOW;
		ck_assert_msg(alert_due(&row, NOW, REPEAT) == cases[i].reason, "case %zu", i);
	}
}
END_TEST

static json_t *written(const struct attention_group_row *row, enum alert_reason reason,
					   const char *dashboard)
{
	struct buf body;
	struct err err;
	json_t *json = NULL;

	buf_init(&body, 0);
	alert_write(row, reason, NOW, dashboard, &body);
	ck_assert_msg(json_parse_stored(buf_str(&body), body.len, &json, &err) == 0, "%s",
				  buf_str(&body));
	buf_release(&body);
	return json;
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	ck_assert_msg(text != NULL, "%s", name);
	return text;
}

static struct schema *alert_schema(void)
{
	struct schema *schema = NULL;
	struct err err = {0};

	for (size_t i = 0; i < embedded_file_count; i++) {
		CLEANUP(json_decref_p) json_t *doc = NULL;

		if (strcmp(embedded_files[i].path, "schemas/events/skald.attention.alert.json") != 0)
			continue;
		ck_assert_int_eq(json_parse(embedded_files[i].data, embedded_files[i].len, &doc, &err), 0);
		ck_assert_msg(schema_compile(doc, &schema, &err) == 0, "%s: %s", err.place, err.text);
	}
	ck_assert_ptr_nonnull(schema);
	return schema;
}

static void report(void *ctx, const struct err *err)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", err->place, err->text);
}

START_TEST(test_alerts__a_message_is_a_cloudevent_that_fits_its_schema)
{
	static const char *const texts[] = {
		"Skald: 12 sagas of order need a person (stuck): charge: the compensation failed: "
		"http_503: "
		"\"down\"",
		"Skald: 12 sagas of order (more and more) need a person (stuck): charge: the "
		"compensation failed: http_503: \"down\"",
		"Skald: 12 sagas of order still need a person (stuck): charge: the compensation failed: "
		"http_503: \"down\"",
		"Skald: repaired: order: charge: the compensation failed: http_503: \"down\"",
	};
	struct attention_group_row row = group(12);
	struct schema *schema = alert_schema();

	for (int reason = 0; reason < ALERT_REASON_COUNT; reason++) {
		json_t *json = written(&row, (enum alert_reason)reason, reason ? "https://skald" : NULL);
		const json_t *data = json_object_get(json, "data");

		ck_assert_int_eq(schema_validate(schema, data, report, NULL), 0);
		ck_assert_str_eq(text_of(json, "text"), texts[reason]);
		ck_assert_str_eq(text_of(json, "specversion"), "1.0");
		ck_assert_str_eq(text_of(json, "type"), "skald.attention.alert");
		ck_assert_str_eq(text_of(data, "reason"), alert_reason_text((enum alert_reason)reason));
		if (reason)
			ck_assert_str_eq(text_of(data, "link"),
							 "https://skald/ui/attention/0123456789abcdef?namespace=default");
		else
			ck_assert_ptr_null(json_object_get(data, "link"));
		json_decref(json);
	}
	schema_free(schema);
}
END_TEST

START_TEST(test_alerts__the_same_telling_has_the_same_id)
{
	struct attention_group_row row = group(12), later = group(13);
	json_t *first = written(&row, ALERT_NEW, NULL), *again = written(&later, ALERT_NEW, NULL),
		   *next;

	ck_assert_str_eq(text_of(first, "id"), text_of(again, "id"));
	row.revision++;
	row.notified_at = NOW;
	next = written(&row, ALERT_STILL, NULL);
	ck_assert_str_ne(text_of(first, "id"), text_of(next, "id"));
	json_decref(first);
	json_decref(again);
	json_decref(next);
}
END_TEST

/* Groups that live in an array, and a webhook that takes or refuses. */
struct desk {
	struct attention_group_row rows[ALERTS_A_ROUND + 10];
	size_t n;
	int told, taken_max; /* the webhook takes so many; -1: all */
	bool picky;          /* it does not want the first message of a round */
	int conflicts;       /* so many writes find that somebody else has written */
};

static int desk_list(void *ctx, int (*row)(void *ctx, const struct attention_group_row *row),
					 void *row_ctx, struct err *err)
{
	struct desk *desk = ctx;

	(void)err;
	for (size_t i = 0; i < desk->n; i++)
		if (row(row_ctx, &desk->rows[i]))
			break;
	return 0;
}

static int desk_tell(void *ctx, const struct buf *body, struct err *err)
{
	struct desk *desk = ctx;

	ck_assert_uint_gt(body->len, 0);
	if (desk->picky) {
		desk->picky = false;
		return err_set(err, ERR_INVALID, "not this one");
	}
	if (desk->told == desk->taken_max)
		return err_set(err, ERR_UNAVAILABLE, "nobody is there");
	desk->told++;
	return 0;
}

static int desk_put(void *ctx, struct attention_group_row *row, struct err *err)
{
	struct desk *desk = ctx;

	if (desk->conflicts > 0) {
		desk->conflicts--;
		return err_set(err, ERR_CONFLICT, "somebody was faster");
	}
	for (size_t i = 0; i < desk->n; i++) {
		if (strcmp(desk->rows[i].id, row->id) != 0)
			continue;
		desk->rows[i].notified_at = row->notified_at;
		desk->rows[i].notified_n = row->notified_n;
	}
	return 0;
}

static const struct alert_ports ports = {desk_list, desk_tell, desk_put};

static int round_at(struct desk *desk, wall_ms now)
{
	struct err err;

	return alerts_round(&ports, desk, now, REPEAT, NULL, &err);
}

START_TEST(test_alerts__a_trouble_is_told_from_its_beginning_to_its_end)
{
	struct desk desk = {.rows = {group(1)}, .n = 1, .taken_max = -1};

	ck_assert_int_eq(round_at(&desk, NOW), 1);
	ck_assert_int_eq(round_at(&desk, NOW + 1), 0);
	desk.rows[0].n = 25;
	ck_assert_int_eq(round_at(&desk, NOW + 2), 1);
	ck_assert_int_eq(desk.rows[0].notified_n, 25);
	ck_assert_int_eq(round_at(&desk, NOW + 2 + REPEAT), 1);
	desk.rows[0].acknowledged_by = "ana";
	desk.rows[0].acknowledged_at = NOW + 2 + REPEAT;
	desk.rows[0].n = 1000;
	ck_assert_int_eq(round_at(&desk, NOW + 3 + 2 * REPEAT), 0);
	desk.rows[0].n = 0;
	ck_assert_int_eq(round_at(&desk, NOW + 4 + 2 * REPEAT), 1);
	ck_assert_int_eq(desk.rows[0].notified_at, 0);
	/* The next trouble of its kind is new, and nobody has acknowledged it. */
	ck_assert_int_eq(round_at(&desk, NOW + 5 + 2 * REPEAT), 0);
	desk.rows[0].n = 1;
	desk.rows[0].first_seen_at = NOW + 6 + 2 * REPEAT;
	ck_assert_int_eq(round_at(&desk, NOW + 6 + 2 * REPEAT), 1);
	ck_assert_int_eq(desk.told, 5);
}
END_TEST

START_TEST(test_alerts__what_was_not_taken_is_told_again)
{
	struct desk desk = {.rows = {group(1), group(2)}, .n = 2, .taken_max = 1};

	desk.rows[1].id = "fedcba9876543210";
	ck_assert_int_eq(round_at(&desk, NOW), ERR_UNAVAILABLE);
	ck_assert_int_eq(desk.rows[0].notified_at, NOW);
	ck_assert_int_eq(desk.rows[1].notified_at, 0);
	desk.taken_max = -1;
	desk.conflicts = 1;
	ck_assert_int_eq(round_at(&desk, NOW + 1), 1);
	ck_assert_int_eq(desk.rows[1].notified_at, 0);
	ck_assert_int_eq(round_at(&desk, NOW + 2), 1);
	ck_assert_int_eq(desk.rows[1].notified_at, NOW + 2);
	ck_assert_int_eq(round_at(&desk, NOW + 3), 0);
}
END_TEST

START_TEST(test_alerts__one_that_is_not_wanted_holds_up_no_other)
{
	struct desk desk = {.rows = {group(1), group(2)}, .n = 2, .taken_max = -1, .picky = true};

	desk.rows[1].id = "fedcba9876543210";
	ck_assert_int_eq(round_at(&desk, NOW), ERR_INVALID);
	ck_assert_int_eq(desk.rows[0].notified_at, 0);
	ck_assert_int_eq(desk.rows[1].notified_at, NOW);
	ck_assert_int_eq(round_at(&desk, NOW + 1), 1);
	ck_assert_int_eq(desk.rows[0].notified_at, NOW + 1);
}
END_TEST

START_TEST(test_alerts__a_round_has_a_limit)
{
	struct desk desk = {.n = ARRAY_SIZE(desk.rows), .taken_max = -1};
	static char ids[ARRAY_SIZE(desk.rows)][ATTENTION_GROUP_SIZE];

	for (size_t i = 0; i < desk.n; i++) {
		desk.rows[i] = group(1);
		snprintf(ids[i], sizeof(ids[i]), "%016zx", i);
		desk.rows[i].id = ids[i];
	}
	ck_assert_int_eq(round_at(&desk, NOW), ALERTS_A_ROUND);
	ck_assert_int_eq(round_at(&desk, NOW + 1), 10);
	ck_assert_int_eq(round_at(&desk, NOW + 2), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alerts");
	TCase *tc = tcase_create("alerts");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_alerts__tells_what_is_new_growing_still_there_or_repaired);
	tcase_add_test(tc, test_alerts__a_message_is_a_cloudevent_that_fits_its_schema);
	tcase_add_test(tc, test_alerts__the_same_telling_has_the_same_id);
	tcase_add_test(tc, test_alerts__a_trouble_is_told_from_its_beginning_to_its_end);
	tcase_add_test(tc, test_alerts__what_was_not_taken_is_told_again);
	tcase_add_test(tc, test_alerts__one_that_is_not_wanted_holds_up_no_other);
	tcase_add_test(tc, test_alerts__a_round_has_a_limit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
