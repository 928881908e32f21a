/* Tokens of leases: what is written is read back, and nothing else is taken for one. */
#include "coordinator/task_token.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define SAGA "0198c0de-7a31-7abc-bf11-223344556677"

static struct task_token token(const char *step, int item, enum side side, int64_t attempt)
{
	struct task_token token = {.item = item, .side = side, .attempt = attempt};

	snprintf(token.saga_id, sizeof(token.saga_id), "%s", SAGA);
	snprintf(token.step, sizeof(token.step), "%s", step);
	snprintf(token.nonce, sizeof(token.nonce), "%s", "0123456789abcdef");
	return token;
}

START_TEST(test_token__is_read_back)
{
	char longest[TASK_STEP_SIZE];

	memset(longest, 's', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (int i = 0; i < 60; i++) {
		struct task_token said = token(i % 2 ? longest : "pack", i % 3 ? i : -1,
									   i % 5 ? SIDE_DO : SIDE_UNDO, INT64_C(1) << i % 59);
		struct task_token read;
		struct buf text;
		struct err err;

		said.step[TASK_STEP_SIZE - 1 - i % 4] = '\0'; /* all remainders of three */
		buf_init(&text, 0);
		task_token_write(&said, &text);
		ck_assert_uint_eq(strspn(buf_str(&text), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
												 "uvwxyz0123456789-_"),
						  text.len);
		ck_assert_int_eq(task_token_read(buf_str(&text), &read, &err), 0);
		ck_assert_str_eq(read.saga_id, said.saga_id);
		ck_assert_str_eq(read.step, said.step);
		ck_assert_str_eq(read.nonce, said.nonce);
		ck_assert_int_eq(read.item, said.item);
		ck_assert_int_eq(read.side, said.side);
		ck_assert_int_eq(read.attempt, said.attempt);
		buf_release(&text);
	}
}
END_TEST

/* As many as there are of them: no prefix and no neighbour of a token is one. */
START_TEST(test_token__that_was_changed_is_none_or_another)
{
	struct task_token said = token("pack", 3, SIDE_DO, 12), read;
	struct buf text;
	struct err err;

	buf_init(&text, 0);
	task_token_write(&said, &text);
	for (size_t len = 0; len < text.len; len++) {
		char part[TASK_TOKEN_MAX_BYTES * 2];

		snprintf(part, sizeof(part), "%.*s", (int)len, buf_str(&text));
		ck_assert_int_eq(task_token_read(part, &read, &err), ERR_INVALID);
	}
	buf_add_char(&text, '!');
	ck_assert_int_eq(task_token_read(buf_str(&text), &read, &err), ERR_INVALID);
	buf_release(&text);
}
END_TEST

static const char *const wrong[] = {
	"",
	"nonsense",
	"////",
	"AAAA", /* NULs */
	/* base64url of "x/pack/-/do/1/0123456789abcdef" and the like */
	"eC9wYWNrLy0vZG8vMS8wMTIzNDU2Nzg5YWJjZGVm",
	"MDE5OGMwZGUtN2EzMS03YWJjLWJmMTEtMjIzMzQ0NTU2Njc3L3BhY2svLS9kby8xLzAxMjM",
	"MDE5OGMwZGUtN2EzMS03YWJjLWJmMTEtMjIzMzQ0NTU2Njc3L3BhY2svLS9kby8tMS8wMTIzNDU2Nzg5YWJjZGVm",
	"MDE5OGMwZGUtN2EzMS03YWJjLWJmMTEtMjIzMzQ0NTU2Njc3L3BhY2svOTk5OTkvZG8vMS8wMTIzNDU2Nzg5YWJjZGVm",
	"MDE5OGMwZGUtN2EzMS03YWJjLWJmMTEtMjIzMzQ0NTU2Njc3L3BhY2svLS9mcm8vMS8wMTIzNDU2Nzg5YWJjZGVm",
};

START_TEST(test_token__refuses_what_is_none)
{
	struct task_token read;
	struct err err;

	ck_assert_int_eq(task_token_read(wrong[_i], &read, &err), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("task_token");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_token__is_read_back);
	tcase_add_test(tcase, test_token__that_was_changed_is_none_or_another);
	tcase_add_loop_test(tcase, test_token__refuses_what_is_none, 0, ARRAY_SIZE(wrong));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
