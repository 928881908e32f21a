/* Groups of sagas that concern a person for the same reason. */
#include "sagas/attention.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/decide.h"
#include "tests/support/definition.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static const char *group_of(const char *message)
{
	static char group[ATTENTION_GROUP_DIGITS + 1];

	attention_group("order", ATTENTION_STUCK, "refund", SIDE_UNDO, "http_500", message, group);
	return group;
}

START_TEST(test_attention__a_group_is_what_does_not_differ)
{
	static const char *const same[][2] = {
		{"answered 500: no order o-17", "answered 500: no order o-18"},
		{"no account 0198c0de-7a31-7abc-bf11-223344556677", "no account 42"},
		{"sku \"red shoe\" is gone", "sku \"hat\" is gone"},
		{"key 'a b' is taken", "key 'c' is taken"},
		{"took 12 ms", "took 1234 ms"},
	};
	static const char *const other[][2] = {
		{"timed out", "refused"},
		{"can't pay", "can't refund"},
		{"the customer's card is closed, isn't it", "the customer's card is stolen, isn't it"},
		{"\"", ""},
		{"no order", "no order o-17"},
		{NULL, "timed out"},
	};
	char group[ATTENTION_GROUP_DIGITS + 1];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		memcpy(group, group_of(same[i][0]), sizeof(group));
		ck_assert_msg(strcmp(group, group_of(same[i][1])) == 0, "%s | %s", same[i][0], same[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		memcpy(group, group_of(other[i][0]), sizeof(group));
		ck_assert_msg(strcmp(group, group_of(other[i][1])) != 0, "%s", other[i][1]);
	}
}
END_TEST

START_TEST(test_attention__each_part_tells_groups_apart)
{
	static const struct {
		const char *definition;
		enum attention_kind kind;
		const char *step;
		enum side side;
		const char *code, *message;
	} parts[] = {
		{"order", ATTENTION_STUCK, "refund", SIDE_UNDO, "code", "text"},
		{"orde", ATTENTION_STUCK, "refund", SIDE_UNDO, "code", "text"},
		{"order", ATTENTION_PARKED, "refund", SIDE_UNDO, "code", "text"},
		{"order", ATTENTION_STUCK, "charge", SIDE_UNDO, "code", "text"},
		{"order", ATTENTION_STUCK, NULL, SIDE_UNDO, "code", "text"},
		{"order", ATTENTION_STUCK, "refund", SIDE_DO, "code", "text"},
		{"order", ATTENTION_STUCK, "refund", SIDE_UNDO, NULL, "codetext"},
		{"order", ATTENTION_STUCK, "refund", SIDE_UNDO, "code", "next"},
	};
	char groups[ARRAY_SIZE(parts)][ATTENTION_GROUP_DIGITS + 1];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		attention_group(parts[i].definition, parts[i].kind, parts[i].step, parts[i].side,
						parts[i].code, parts[i].message, groups[i]);
		ck_assert_uint_eq(strspn(groups[i], "0123456789abcdef"), ATTENTION_GROUP_DIGITS);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(groups[i], groups[j]);
	}
}
END_TEST

START_TEST(test_attention__kinds_have_their_words)
{
	for (int i = 0; i < ATTENTION_KIND_COUNT; i++)
		ck_assert_int_eq(attention_kind_parse(attention_kind_text(i)), i);
	ck_assert_int_eq(attention_kind_parse("nothing"), -1);
}
END_TEST

static const char definition[] = "saga: order\n"
								 "steps:\n"
								 "  - id: reserve\n"
								 "    http: {to: stock, method: POST, path: /r}\n"
								 "    compensate: {http: {to: stock, method: DELETE, path: /r}}\n"
								 "  - id: charge\n"
								 "    http: {to: bank, method: POST, path: /c}\n"
								 "    compensate: none\n"
								 "  - id: tell\n"
								 "    pivot: true\n"
								 "    http: {to: mail, method: POST, path: /m}\n";

static void apply(struct saga_state *state, wall_ms at, const char *row)
{
	struct err err;
	int r = saga_state_apply_row(state, at, row, strlen(row), &err);

	ck_assert_msg(r == 0, "%s", err.text);
}

#define REQUEST ",\"request\":{\"to\":\"x\",\"method\":\"POST\",\"path\":\"/\",\"key\":\"k\"}"

static struct saga_state *begun(struct saga_def *def)
{
	struct saga_state *state = saga_state_new(def, ID);

	apply(state, NOW,
		  "[{\"n\":1,\"name\":\"order\",\"version\":1,\"ns\":\"default\"},"
		  "{\"n\":2,\"step\":\"reserve\"" REQUEST "}]");
	apply(state, NOW + 1,
		  "[{\"n\":3,\"step\":\"reserve\"},{\"n\":11,\"step\":\"reserve\"" REQUEST
		  "},{\"n\":2,\"step\":\"charge\"" REQUEST "}]");
	return state;
}

START_TEST(test_attention__a_state_says_what_and_where_and_since_when)
{
	struct saga_def *def = definition_must_load(definition);
	struct saga_state *state = begun(def);
	const struct attention *attention;
	char group[ATTENTION_GROUP_DIGITS + 1];

	ck_assert_ptr_null(saga_state_attention_of(state));
	ck_assert_int_eq(state->attention_at, 0);
	apply(state, NOW + 2,
		  "[{\"n\":4,\"step\":\"charge\",\"code\":\"declined\"},{\"n\":18,\"code\":\"declined\"},"
		  "{\"n\":12,\"step\":\"reserve\"}]");
	apply(state, NOW + 3,
		  "[{\"n\":15,\"step\":\"reserve\",\"code\":\"http_409\",\"message\":\"no r 12\"}]");
	attention = saga_state_attention_of(state);
	ck_assert_ptr_nonnull(attention);
	ck_assert_int_eq(attention->kind, ATTENTION_STUCK);
	ck_assert_int_eq(attention->step, 0);
	ck_assert_int_eq(attention->item, -1);
	ck_assert_int_eq(attention->side, SIDE_UNDO);
	ck_assert_str_eq(attention->code, "http_409");
	ck_assert_str_eq(attention->text, "reserve: the compensation failed: http_409: no r 12");
	ck_assert_int_eq(state->attention_at, NOW + 3);
	attention_group("order", ATTENTION_STUCK, "reserve", SIDE_UNDO, "http_409", "no r 77", group);
	ck_assert_str_eq(attention->group, group);
	/* What happens beside it does not make it younger. */
	apply(state, NOW + 9, "[{\"n\":24,\"step\":\"charge\"}]");
	ck_assert_int_eq(state->attention_at, NOW + 3);
	/* Once it is tried again nobody is concerned. */
	apply(state, NOW + 10, "[{\"n\":12,\"step\":\"reserve\"}]");
	ck_assert_ptr_null(saga_state_attention_of(state));
	ck_assert_int_eq(state->attention_at, 0);
	saga_state_free(state);
	saga_def_unref(def);
}
END_TEST

START_TEST(test_attention__other_reasons_have_other_kinds)
{
	static const struct {
		const char *row;
		enum attention_kind kind;
		int step;
	} cases[] = {
		{"[{\"n\":10,\"step\":\"charge\",\"code\":\"x\"}]", ATTENTION_PARKED, 1},
		{"[{\"n\":10,\"step\":\"charge\",\"outcome\":\"unknown\"}]", ATTENTION_UNKNOWN, 1},
		{"[{\"n\":23}]", ATTENTION_DEADLINE, -1},
		{"[{\"n\":25,\"reason\":\"look\"}]", ATTENTION_NOTICE, -1},
		{"[{\"n\":25,\"step\":\"reserve\",\"reason\":\"late\"}]", ATTENTION_NOTICE, 0},
		{"[{\"n\":21,\"by\":\"ann\"},{\"n\":25,\"step\":\"reserve\",\"reason\":\"late\"}]",
		 ATTENTION_NOTICE, 0},
	};
	struct saga_def *def = definition_must_load(definition);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct saga_state *state = begun(def);
		const struct attention *attention;

		apply(state, NOW + 2, cases[i].row);
		attention = saga_state_attention_of(state);
		ck_assert_msg(attention != NULL, "%s", cases[i].row);
		ck_assert_int_eq(attention->kind, cases[i].kind);
		ck_assert_int_eq(attention->step, cases[i].step);
		ck_assert_int_eq(state->attention_at, NOW + 2);
		saga_state_free(state);
	}
	saga_def_unref(def);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attention");
	TCase *tc = tcase_create("attention");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_attention__a_group_is_what_does_not_differ);
	tcase_add_test(tc, test_attention__each_part_tells_groups_apart);
	tcase_add_test(tc, test_attention__kinds_have_their_words);
	tcase_add_test(tc, test_attention__a_state_says_what_and_where_and_since_when);
	tcase_add_test(tc, test_attention__other_reasons_have_other_kinds);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
