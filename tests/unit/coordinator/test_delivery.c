/* The message of the inbox: what is written is read, and what is no delivery is refused. */
#include "coordinator/delivery.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct delivery *through_the_inbox(const struct delivery *delivery)
{
	struct delivery *read = NULL;
	struct err err;
	struct buf text;

	buf_init(&text, 0);
	delivery_write(delivery, &text);
	if (delivery_read(buf_str(&text), text.len, &read, &err) < 0)
		ck_abort_msg("%s: %s", buf_str(&text), err.text);
	buf_release(&text);
	return read;
}

static struct jval *value_of(const char *text)
{
	return jval_from_text(xstrdup(text), strlen(text));
}

START_TEST(test_delivery__writes_and_reads_a_reply)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY), *read;

	snprintf(delivery->step, sizeof(delivery->step), "hold");
	delivery->item = 7;
	delivery->call = CALL_PROBE_UNDO;
	delivery->ask = 3;
	delivery->outcome = OUTCOME_FAILURE;
	delivery->code = xstrdup("No\"Credit");
	delivery->message = xstrdup("zażółć\n");
	delivery->type = xstrdup("CreditRefused");
	delivery->value = value_of("{\"price\":19.99}");
	read = through_the_inbox(delivery);
	ck_assert_int_eq(read->kind, DELIVERY_REPLY);
	ck_assert_str_eq(read->step, "hold");
	ck_assert_int_eq(read->item, 7);
	ck_assert_int_eq(read->call, CALL_PROBE_UNDO);
	ck_assert_int_eq(read->ask, 3);
	ck_assert_int_eq(read->outcome, OUTCOME_FAILURE);
	ck_assert_str_eq(read->code, delivery->code);
	ck_assert_str_eq(read->message, delivery->message);
	ck_assert_str_eq(read->type, "CreditRefused");
	ck_assert_str_eq(jval_text(read->value, NULL), "{\"price\":19.99}");
	delivery_free(delivery);
	delivery_free(read);
}
END_TEST

START_TEST(test_delivery__leaves_out_what_is_not_said)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY), *read;

	snprintf(delivery->step, sizeof(delivery->step), "hold");
	read = through_the_inbox(delivery);
	ck_assert_int_eq(read->item, -1);
	ck_assert_int_eq(read->call, CALL_DO);
	ck_assert_int_eq(read->ask, 0);
	ck_assert_int_eq(read->outcome, OUTCOME_DEFAULT);
	ck_assert_ptr_null(read->code);
	ck_assert_ptr_null(read->message);
	ck_assert_ptr_null(read->type);
	ck_assert_ptr_null(read->value);
	delivery_free(delivery);
	delivery_free(read);
}
END_TEST

START_TEST(test_delivery__writes_and_reads_an_event)
{
	struct delivery *delivery = delivery_new(DELIVERY_EVENT), *read;

	delivery->place = 2;
	delivery->event_id = xstrdup("default/payments/3/17");
	delivery->value = value_of("{\"data\":{\"id\":1}}");
	read = through_the_inbox(delivery);
	ck_assert_int_eq(read->kind, DELIVERY_EVENT);
	ck_assert_str_eq(read->step, "");
	ck_assert_int_eq(read->item, -1);
	ck_assert_int_eq(read->place, 2);
	ck_assert_str_eq(read->event_id, "default/payments/3/17");
	ck_assert_str_eq(jval_text(read->value, NULL), "{\"data\":{\"id\":1}}");
	delivery_free(delivery);
	delivery_free(read);
}
END_TEST

START_TEST(test_delivery__reads_what_a_store_puts_together)
{
	static const char text[] = "{\"kind\": \"event\", \"step\": \"paid\", \"item\": 0, \"new\": [],"
							   " \"event_id\": \"a/b/0/1\", \"event\": {\"id\": \"x\"}}";
	struct delivery *read;
	struct err err;

	ck_assert_int_eq(delivery_read(text, strlen(text), &read, &err), 0);
	ck_assert_str_eq(read->step, "paid");
	ck_assert_int_eq(read->item, 0);
	ck_assert_str_eq(read->event_id, "a/b/0/1");
	delivery_free(read);
}
END_TEST

START_TEST(test_delivery__refuses_what_is_no_delivery)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"kind\":\"reply\"}",
		"{\"kind\":\"signal\",\"step\":\"a\"}",
		"{\"kind\":\"reply\",\"step\":7}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"item\":-2}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"item\":99999999999}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"call\":\"redo\"}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"outcome\":7}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"ask\":\"1\"}",
		"{\"kind\":\"reply\",\"step\":\"a\",\"code\":{}}",
		"{\"kind\":\"event\",\"step\":\"a\",\"place\":-1}",
		"{\"kind\":\"event\",\"step\":\"a\",\"event_id\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct delivery *read = NULL;
		struct err err = {0};

		ck_assert_msg(delivery_read(texts[i], strlen(texts[i]), &read, &err) == ERR_INVALID, "%s",
					  texts[i]);
		ck_assert_ptr_null(read);
		ck_assert(*err.text);
	}
}
END_TEST

START_TEST(test_delivery__refuses_a_step_that_no_definition_could_have)
{
	char text[DEF_MAX_NAME + 64], step[DEF_MAX_NAME + 2];
	struct delivery *read = NULL;
	struct err err;

	memset(step, 's', sizeof(step) - 1);
	step[sizeof(step) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"kind\":\"event\",\"step\":\"%s\"}", step);
	ck_assert_int_eq(delivery_read(text, strlen(text), &read, &err), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("delivery");
	TCase *tcase = tcase_create("delivery");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_delivery__writes_and_reads_a_reply);
	tcase_add_test(tcase, test_delivery__leaves_out_what_is_not_said);
	tcase_add_test(tcase, test_delivery__writes_and_reads_an_event);
	tcase_add_test(tcase, test_delivery__reads_what_a_store_puts_together);
	tcase_add_test(tcase, test_delivery__refuses_what_is_no_delivery);
	tcase_add_test(tcase, test_delivery__refuses_a_step_that_no_definition_could_have);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
