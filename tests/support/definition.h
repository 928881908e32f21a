/* Definitions for tests, from YAML text. */
#ifndef TESTS_SUPPORT_DEFINITION_H
#define TESTS_SUPPORT_DEFINITION_H

#include "sagas/base/buf.h"
#include "sagas/def_load.h"

/* Reads and loads; findings are added, *ret_def is given as saga_def_load does. */
int definition_load(const char *yaml, struct saga_def **ret_def, struct findings *findings);

/* Loads what has to load, or ends the test with its findings. The caller unrefs. */
struct saga_def *definition_must_load(const char *yaml) MUST_CHECK;

/* Appends "error /steps/0/http: text" and a line end for each finding. */
void definition_findings(const char *yaml, struct buf *out);

#endif
