/*
 * The Postgres of the tests (tests/services.sh). Each program has schemas of its own in it, so that
 * programs do not meet.
 */
#ifndef TESTS_SUPPORT_POSTGRES_H
#define TESTS_SUPPORT_POSTGRES_H

/* The URL of SKALD_TEST_POSTGRES; ends the program with a clear line when it is not set. */
const char *postgres_url(void);
/* The same, with a schema of this name, which is made empty. Valid until the next call. */
const char *postgres_fresh(const char *schema);
/* The same, as it is. */
const char *postgres_again(const char *schema);
/* Runs SQL in the schema; CHECK fails when it fails. Returns the first column of the first row. */
const char *postgres_sql(const char *schema, const char *sql);

#endif
