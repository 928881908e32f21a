/*
 * Tests of definitions: a *.test.yaml file says what participants, workers and people do, and what
 * is expected of the saga; docs/testing.md describes it, schemas/test.schema.json is its schema.
 * Each test runs in a sandbox of its own (sagas/sandbox.h): no network, no store, no waiting.
 *
 *   deftest_file_load -> for each test: deftest_run -> the result, with what failed in words
 *
 * deftest_file.c reads files, deftest_run.c drives the sandbox, deftest_reply.c answers,
 * deftest_meanwhile.c lets things happen, deftest_expect.c compares, deftest_show.c shows.
 */
#ifndef COORDINATOR_DEFTEST_H
#define COORDINATOR_DEFTEST_H

#include <stdio.h>

#include "sagas/def_load.h"
#include "sagas/sandbox.h"

enum {
	DEFTEST_FILE_MAX = DEF_MAX_BYTES,
	DEFTEST_TESTS_MAX = 10000,
	DEFTEST_DEFS_MAX = 200,
};

struct deftest_file {
	char *path;
	json_t *doc;
	struct doc_places *places;
	/* Definitions: that of `saga`, and those of `with`. */
	struct saga_def *defs[DEFTEST_DEFS_MAX];
	char *def_paths[DEFTEST_DEFS_MAX];
	size_t n_defs;
	struct surroundings around; /* of all of them; env is borrowed from doc */
	/* What is wrong with it, or with a definition; each belongs to a file. */
	struct findings findings;
	char *wrong_path; /* the definition whose findings these are; NULL: the file itself */
};

/*
 * Reads the file and its definitions. ERR_INVALID: findings say what is wrong, with lines and
 * pointers. ERR_IO, ERR_NOT_FOUND: it cannot be read. To be released in any case.
 */
int deftest_file_load(struct deftest_file *file, const char *path, struct err *err) MUST_CHECK;
void deftest_file_release(struct deftest_file *file);

size_t deftest_file_size(const struct deftest_file *file);
/* The name of a test, and its line. Borrowed. */
const char *deftest_name(const struct deftest_file *file, size_t index);
int deftest_line(const struct deftest_file *file, size_t index);

struct deftest_result {
	bool passed;
	/* What failed, each a paragraph of one or more lines, with its line in the file. */
	struct {
		int line;
		char *text;
	} * failures;
	size_t n_failures;
	int64_t virtual_ms; /* how long it took by the sandbox's clock */
	size_t n_calls;
	/* The histories, for who wants to look: [{id, saga, place, events: [...]}]. */
	json_t *sagas;
};
void deftest_result_release(struct deftest_result *result);

void deftest_run(const struct deftest_file *file, size_t index, struct deftest_result *result);

/*
 * The same for a definition without tests: a file with one test, in which all goes well. input may
 * be NULL, and is taken over. Errors as of deftest_file_load.
 */
int deftest_file_make(struct deftest_file *file, const char *definition, json_t *input,
					  struct err *err) MUST_CHECK;

/* The input of every test is this one. Borrowed. */
void deftest_file_set_input(struct deftest_file *file, json_t *input);

/*
 * Simulation: the test is run once as it is, and then once for each of its steps and each way in
 * which that can fail. Gives
 *
 *   {"saga","base":{"complete","status","expected","why":[…],"not_reached":[steps]},
 *     "ends":[{"step","way","reached","status","failure","undone":[…],
 *     "stays":[{"place","why"}],"problems":[…]}],"problems":n}
 *
 * way: none (as it is), failure, unknown, timeout, crash, deadline, cancel. What stays is what was
 * done, or may have been, and is not undone; a problem is what stays although nothing said that it
 * should. base is the run as it is: not complete when it has another end than the test says (or
 * than `completed`), or an act in it was refused; what is behind that was not tried. An end is not
 * reached where the step was over before it could be cancelled. The caller's.
 */
json_t *deftest_simulate(const struct deftest_file *file, size_t index) MUST_CHECK;

#endif
