/*
 * How data is shown: tables for people, JSON and YAML for programs.
 */
#ifndef COORDINATOR_CLI_PRINT_H
#define COORDINATOR_CLI_PRINT_H

#include <jansson.h>

#include "coordinator/cli/cli.h"

enum { TABLE_MAX_COLUMNS = 12 };

struct table {
	size_t n_columns;
	char **cells; /* row by row, the heading first */
	size_t n_cells;
};

/* The heading, as many names as given up to NULL. */
void table_init(struct table *table, ...) __attribute__((sentinel));
void table_release(struct table *table);
/* A row: as many texts as there are columns; NULL is shown as "-". */
void table_add(struct table *table, ...);
/* Aligned; words of the vocabulary of states are coloured when asked. */
void table_print(const struct table *table, bool color, FILE *out);

/* One value, in any format but table. */
void print_value(const struct cli *cli, const json_t *value);
/* A list, in any format but table: jsonl gives a line each. */
void print_list(const struct cli *cli, const json_t *list);

/* Appends YAML, block style; a document as print_value gives it. */
void yaml_write(const json_t *value, FILE *out);

/*
 * A copy in which control characters (C0, DEL, C1) are question marks: what a participant or a
 * caller said must not steer the terminal. The caller's.
 */
char *shown_text(const char *text) MUST_CHECK;
/*
 * A copy that a shell reads as one word, quoted where it must be: for commands that are shown to be
 * typed. The caller's.
 */
char *shell_text(const char *text) MUST_CHECK;

/* "" when colors are off, or the text means nothing: else the escape that begins its color. */
const char *status_color(const char *status, bool color);
const char *color_end(const char *color);

/* Members of an object, with what to take when there is none. */
const char *text_of(const json_t *object, const char *name); /* NULL when missing or no string */
int64_t int_of(const json_t *object, const char *name, int64_t fallback);

#endif
