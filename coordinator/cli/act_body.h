/* What the commands that act have in common: the act as JSON, and what it did as text. */
#ifndef COORDINATOR_CLI_ACT_BODY_H
#define COORDINATOR_CLI_ACT_BODY_H

#include "coordinator/cli/client.h"
#include "sagas/base/buf.h"

/* Appends a member to the object in out, which begins with its brace. */
void body_text(struct buf *out, const char *name, const char *text);
/* The same with JSON as it was given, so that its numbers stay as they are. */
void body_json(struct buf *out, const char *name, const char *json);

/* Who does it: --by, else $USER. */
const char *act_by(const struct cli *cli);

/*
 * Appends the members that options give: reason, by, id, and what the act's own options say. 0 or
 * an exit code, said.
 */
int act_members(const struct cli *cli, struct buf *out) MUST_CHECK;

/* The calls of a dry run as a table. */
void act_print_calls(const json_t *dry_run, bool color, FILE *out);

#endif
