/* What tests of definitions came to, for programs: JSON, and JUnit's XML for build servers. */
#ifndef COORDINATOR_CLI_TEST_REPORT_H
#define COORDINATOR_CLI_TEST_REPORT_H

#include "coordinator/deftest.h"

struct test_report {
	json_t *tests; /* [{file, line, test, passed, failures: [{line, text}], virtual_ms, calls}] */
	size_t passed, failed;
};

void test_report_init(struct test_report *report);
void test_report_release(struct test_report *report);
void test_report_add(struct test_report *report, const struct deftest_file *file, size_t index,
					 const struct deftest_result *result);
/* A file that cannot be used counts as a test that failed. */
void test_report_add_error(struct test_report *report, const char *path, const char *text);
/* 0, or an exit code, said. */
int test_report_write_junit(const struct test_report *report, const char *path);

#endif
