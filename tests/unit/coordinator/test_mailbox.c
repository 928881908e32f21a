/* The mailbox, also with many producers at once (run it under SAN=thread). */
#include "coordinator/mailbox.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

enum { PRODUCERS = 4, EACH = 5000 };

struct letter {
	struct mail mail;
	int producer, number;
};

static struct letter *letter_new(int producer, int number)
{
	struct letter *letter = xcalloc(1, sizeof(*letter));

	letter->producer = producer;
	letter->number = number;
	return letter;
}

START_TEST(test_mailbox__gives_the_oldest_first)
{
	struct mailbox *box = mailbox_new(10);
	struct mail mails[3] = {{.type = 1}, {.type = 2}, {.type = 3}}, *list;

	ck_assert_ptr_null(mailbox_drain(box, 0));
	for (int i = 0; i < 3; i++)
		ck_assert(mailbox_post(box, &mails[i]));
	ck_assert_uint_eq(mailbox_length(box), 3);
	list = mailbox_drain(box, -1);
	for (int i = 0; i < 3; i++, list = list->next)
		ck_assert_ptr_eq(list, &mails[i]);
	ck_assert_ptr_null(list);
	ck_assert_uint_eq(mailbox_length(box), 0);
	mailbox_free(box);
}
END_TEST

START_TEST(test_mailbox__is_bounded_for_intake_only)
{
	struct mailbox *box = mailbox_new(2);
	struct mail mails[4] = {{0}};

	ck_assert(mailbox_post(box, &mails[0]));
	ck_assert(mailbox_post(box, &mails[1]));
	ck_assert(!mailbox_post(box, &mails[2]));
	mailbox_post_reserved(box, &mails[2]);
	ck_assert_uint_eq(mailbox_length(box), 3);
	ck_assert_ptr_eq(mailbox_drain(box, 0), &mails[0]);
	ck_assert(mailbox_post(box, &mails[3]));
	ck_assert_ptr_eq(mailbox_drain(box, 0), &mails[3]);
	mailbox_free(box);
}
END_TEST

START_TEST(test_mailbox__takes_answers_after_it_was_closed)
{
	struct mailbox *box = mailbox_new(2);
	struct mail mails[2] = {{0}};

	mailbox_close(box);
	ck_assert(!mailbox_post(box, &mails[0]));
	mailbox_post_reserved(box, &mails[1]);
	ck_assert_ptr_eq(mailbox_drain(box, 0), &mails[1]);
	mailbox_free(box);
}
END_TEST

START_TEST(test_mailbox__ends_its_wait_when_the_time_is_up)
{
	struct mailbox *box = mailbox_new(1);

	ck_assert_ptr_null(mailbox_drain(box, 1));
	mailbox_free(box);
}
END_TEST

struct producer {
	struct mailbox *box;
	int number;
};

static void *produce(void *arg)
{
	struct producer *producer = arg;

	for (int i = 0; i < EACH; i++) {
		struct letter *letter = letter_new(producer->number, i);

		if (i % 2 == 0 && mailbox_post(producer->box, &letter->mail))
			continue;
		mailbox_post_reserved(producer->box, &letter->mail);
	}
	return NULL;
}

START_TEST(test_mailbox__loses_nothing_of_many_producers)
{
	struct mailbox *box = mailbox_new(64);
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	int next[PRODUCERS] = {0}, got = 0;

	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){box, i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (got < PRODUCERS * EACH) {
		struct mail *mail = mailbox_drain(box, -1);

		ck_assert_ptr_nonnull(mail);
		while (mail) {
			struct letter *letter = CONTAINER_OF(mail, struct letter, mail);

			mail = mail->next;
			/* Each producer's letters keep their order. */
			ck_assert_int_eq(letter->number, next[letter->producer]++);
			free(letter);
			got++;
		}
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_ptr_null(mailbox_drain(box, 0));
	mailbox_free(box);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *tc = tcase_create("mailbox");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_mailbox__gives_the_oldest_first);
	tcase_add_test(tc, test_mailbox__is_bounded_for_intake_only);
	tcase_add_test(tc, test_mailbox__takes_answers_after_it_was_closed);
	tcase_add_test(tc, test_mailbox__ends_its_wait_when_the_time_is_up);
	tcase_add_test(tc, test_mailbox__loses_nothing_of_many_producers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
