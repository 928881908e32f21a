/* A definition in a file, read and compiled as the server would. */
#ifndef COORDINATOR_CLI_DEF_FILE_H
#define COORDINATOR_CLI_DEF_FILE_H

#include <stdio.h>

#include "sagas/def_load.h"

struct def_file {
	const char *path; /* as shown */
	char *text;
	size_t len;
	json_t *doc;
	struct saga_def *def; /* NULL: it has errors, or parts that are not built */
	struct findings findings;
};

/* Negative: the file itself cannot be read. The file is to be released in any case. */
int def_file_read(struct def_file *file, const char *path, struct err *err) MUST_CHECK;
void def_file_init(struct def_file *file, const char *path);
void def_file_release(struct def_file *file);

/* Reads and compiles; *ret_doc and *ret_def must be NULL, and stay so where it failed. */
void def_text_load(const char *path, const char *text, size_t len, json_t **ret_doc,
				   struct saga_def **ret_def, struct findings *findings);

/* file:line: error: ... (at /pointer) */
void findings_print(const char *file, const struct findings *findings, FILE *out);

#endif
