/*
 * Reading a file of tests, and the definitions that it names.
 */
#include "coordinator/deftest_priv.h"

#include <errno.h>
#include <string.h>

#include "connectors/yaml.h"
#include "sagas/base/suggest.h"
#include "sagas/schema.h"
#include "schemas/embedded.h"

static int read_file(const char *path, char **ret_text, size_t *ret_len, struct err *err)
{
	FILE *file = fopen(path, "re");
	struct buf text;
	char block[16384];
	size_t n;
	int r = 0;

	if (!file)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
					   strerror(errno));
	buf_init(&text, DEFTEST_FILE_MAX);
	while (!text.failed && (n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(&text, block, n);
	if (ferror(file))
		r = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	fclose(file);
	if (r == 0)
		r = buf_check(&text, path, err);
	if (r < 0) {
		buf_release(&text);
		return r;
	}
	*ret_text = buf_take(&text, ret_len);
	return 0;
}

/* ---- the schema ---- */

static int compile_schema(struct schema **ret_schema, struct err *err)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	size_t i;
	int r;

	for (i = 0; i < embedded_file_count; i++) {
		if (strcmp(embedded_files[i].path, "schemas/test.schema.json") != 0)
			continue;
		r = json_parse(embedded_files[i].data, embedded_files[i].len, &doc, err);
		return r < 0 ? r : schema_compile(doc, ret_schema, err);
	}
	return err_set(err, ERR_INTERNAL, "schemas/test.schema.json is not built in");
}

static void report(void *ctx, const struct err *fault)
{
	struct deftest_file *file = ctx;

	findings_add(&file->findings, FINDING_ERROR, doc_places_line(file->places, fault->place),
				 fault->place, "%s", fault->text);
}

static int check_schema(struct deftest_file *file, struct err *err)
{
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	int r = compile_schema(&schema, err);

	if (r < 0)
		return r;
	if (schema_validate(schema, file->doc, report, file) > 0)
		return err_set(err, ERR_INVALID, "%s is no file of tests", file->path);
	return 0;
}

/* ---- definitions ---- */

static bool is_path(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
		   (len > 4 && strcmp(name + len - 4, ".yml") == 0) ||
		   (len > 5 && strcmp(name + len - 5, ".json") == 0);
}

/* Beside the file of tests. */
static char *resolve(const struct deftest_file *file, const char *name)
{
	const char *slash = strrchr(file->path, '/');

	if (name[0] == '/' || !slash)
		return xstrdup(name);
	return xasprintf("%.*s/%s", (int)(slash - file->path), file->path, name);
}

static int load_definition(struct deftest_file *file, const char *name, const char *pointer,
						   bool as_it_is, struct err *err)
{
	CLEANUP(free_p) char *path = as_it_is ? xstrdup(name) : resolve(file, name);
	CLEANUP(free_p) char *text = NULL;
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	static const char no_hash[65];
	struct findings findings = {0};
	size_t i, len;

	for (i = 0; i < file->n_defs; i++)
		if (strcmp(file->def_paths[i], path) == 0)
			return 0;
	if (file->n_defs == DEFTEST_DEFS_MAX)
		return err_set(err, ERR_LIMIT, "%s: more than %d definitions", file->path,
					   DEFTEST_DEFS_MAX);
	if (read_file(path, &text, &len, err) < 0) {
		findings_add(&file->findings, FINDING_ERROR, doc_places_line(file->places, pointer),
					 pointer, "%s", err->text);
		return err_set(err, ERR_INVALID, "%s: a definition cannot be read", file->path);
	}
	if (definition_read(path, text, len, &doc, places, &findings) == 0 &&
		saga_def_load(doc, places, &file->defs[file->n_defs], &findings) == 0) {
		saga_def_set_version(file->defs[file->n_defs], 1, no_hash);
		file->def_paths[file->n_defs++] = TAKE(path);
		findings_release(&findings);
		return 0;
	}
	findings_release(&file->findings);
	file->findings = findings;
	file->wrong_path = TAKE(path);
	return err_set(err, ERR_INVALID, "%s has errors", file->wrong_path);
}

/* order.yaml for order.test.yaml */
static char *default_definition(const struct deftest_file *file)
{
	const char *slash = strrchr(file->path, '/');
	const char *name = slash ? slash + 1 : file->path;
	const char *test = strstr(name, ".test.");

	if (!test)
		return NULL;
	return xasprintf("%.*s.yaml", (int)(test - name), name);
}

static int load_named(struct deftest_file *file, const json_t *name, const char *pointer,
					  struct err *err)
{
	if (!name || !is_path(json_string_value(name)))
		return 0;
	return load_definition(file, json_string_value(name), pointer, false, err);
}

static int load_definitions(struct deftest_file *file, struct err *err)
{
	const json_t *saga = json_object_get(file->doc, "saga");
	CLEANUP(free_p) char *other = saga ? NULL : default_definition(file);
	const json_t *entry;
	char pointer[64];
	size_t i;
	int r = 0;

	if (other)
		r = load_definition(file, other, "", false, err);
	else
		r = load_named(file, saga, "/saga", err);
	json_array_foreach (json_object_get(file->doc, "with"), i, entry) {
		snprintf(pointer, sizeof(pointer), "/with/%zu", i);
		if (r == 0)
			r = load_definition(file, json_string_value(entry), pointer, false, err);
	}
	json_array_foreach (json_object_get(file->doc, "tests"), i, entry) {
		snprintf(pointer, sizeof(pointer), "/tests/%zu/saga", i);
		if (r == 0)
			r = load_named(file, json_object_get(entry, "saga"), pointer, err);
	}
	return r;
}

/* The definition of a test: by its file, or by its name. */
struct saga_def *deftest__definition(const struct deftest_file *file, const json_t *test)
{
	const json_t *said = json_object_get(test, "saga");
	CLEANUP(free_p) char *path = NULL;
	const char *name;
	size_t i;

	if (!said)
		said = json_object_get(file->doc, "saga");
	name = json_string_value(said);
	if (!name)
		return file->n_defs > 0 ? file->defs[0] : NULL;
	path = is_path(name) ? resolve(file, name) : NULL;
	for (i = 0; i < file->n_defs; i++)
		if (path ? strcmp(file->def_paths[i], path) == 0 : strcmp(file->defs[i]->name, name) == 0)
			return file->defs[i];
	return NULL;
}

static int check_tests(struct deftest_file *file, struct err *err)
{
	const json_t *test, *tests = json_object_get(file->doc, "tests");
	char pointer[64];
	size_t i;

	json_array_foreach (tests, i, test) {
		snprintf(pointer, sizeof(pointer), "/tests/%zu", i);
		if (!deftest__definition(file, test))
			findings_add(&file->findings, FINDING_ERROR, doc_places_line(file->places, pointer),
						 pointer,
						 "there is no such definition: `saga` names a file beside this one, or a "
						 "saga of those in `with`");
		else
			deftest__check(file, i);
	}
	if (file->findings.n_errors > 0)
		return err_set(err, ERR_INVALID, "%s has errors", file->path);
	return 0;
}

int deftest_file_load(struct deftest_file *file, const char *path, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int r;

	*file = (struct deftest_file){.path = xstrdup(path),
								  .places = doc_places_new(),
								  .around = {.public_url = "https://skald.example"}};
	r = read_file(path, &text, &len, err);
	if (r < 0)
		return r;
	r = yaml_read(text, len, &file->doc, file->places, &file->findings);
	if (r < 0)
		return err_set(err, ERR_INVALID, "%s cannot be read", path);
	file->around.env = json_object_get(file->doc, "env");
	r = check_schema(file, err);
	if (r == 0)
		r = load_definitions(file, err);
	if (r == 0)
		r = check_tests(file, err);
	return r;
}

int deftest_file_make(struct deftest_file *file, const char *definition, json_t *input,
					  struct err *err)
{
	int r;

	*file = (struct deftest_file){.path = xstrdup(definition),
								  .places = doc_places_new(),
								  .around = {.public_url = "https://skald.example"}};
	file->doc = json_pack("{s:[{s:s, s:o}]}", "tests", "test", "all goes well", "input",
						  input ? input : json_object());
	r = load_definition(file, definition, "", true, err);
	return r == 0 ? check_tests(file, err) : r;
}

void deftest_file_set_input(struct deftest_file *file, json_t *input)
{
	json_t *test;
	size_t i;

	json_object_del(file->doc, "input");
	json_array_foreach (json_object_get(file->doc, "tests"), i, test)
		json_object_set(test, "input", input);
}

void deftest_file_release(struct deftest_file *file)
{
	size_t i;

	for (i = 0; i < file->n_defs; i++) {
		saga_def_unref(file->defs[i]);
		free(file->def_paths[i]);
	}
	findings_release(&file->findings);
	doc_places_free(file->places);
	json_decref(file->doc);
	free(file->wrong_path);
	free(file->path);
}

size_t deftest_file_size(const struct deftest_file *file)
{
	return json_array_size(json_object_get(file->doc, "tests"));
}

const char *deftest_name(const struct deftest_file *file, size_t index)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(file->doc, "tests"), index), "test"));
}

int deftest_line(const struct deftest_file *file, size_t index)
{
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/tests/%zu", index);
	return doc_places_line(file->places, pointer);
}
