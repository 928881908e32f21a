#include "tests/support/postgres.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"

const char *postgres_url(void)
{
	const char *url = getenv("SKALD_TEST_POSTGRES");

	if (!url || !*url) {
		fprintf(stderr, "SKALD_TEST_POSTGRES is not set; run this through tests/services.sh run\n");
		exit(1);
	}
	return url;
}

const char *postgres_again(const char *schema)
{
	static char text[512];
	const char *url = postgres_url();
	int n = snprintf(text, sizeof(text), "%s%coptions=-csearch_path%%3D%s", url,
					 strchr(url, '?') ? '&' : '?', schema);

	CHECK(n > 0 && n < (int)sizeof(text));
	return text;
}

const char *postgres_sql(const char *schema, const char *sql)
{
	static char text[256];
	PGconn *pg = PQconnectdb(schema ? postgres_again(schema) : postgres_url());
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(pg));
	CHECK(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
	snprintf(text, sizeof(text), "%s",
			 status == PGRES_TUPLES_OK && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	PQfinish(pg);
	return text;
}

const char *postgres_fresh(const char *schema)
{
	char sql[256];

	snprintf(
		sql, sizeof(sql),
		"SET client_min_messages = warning; DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s",
		schema, schema);
	postgres_sql(NULL, sql);
	return postgres_again(schema);
}
