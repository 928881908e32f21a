#include "tests/support/definition.h"

#include <stdio.h>
#include <string.h>

#include "connectors/yaml.h"
#include "sagas/json_text.h"

int definition_load(const char *yaml, struct saga_def **ret_def, struct findings *findings)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	int r;

	r = definition_read("test.yaml", yaml, strlen(yaml), &doc, places, findings);
	return r < 0 ? r : saga_def_load(doc, places, ret_def, findings);
}

static const char *level_text(enum finding_level level)
{
	switch (level) {
	case FINDING_ERROR:
		return "error";
	case FINDING_NOT_BUILT:
		return "not built";
	case FINDING_WARNING:
		return "warning";
	}
	return "?";
}

static void write_findings(const struct findings *findings, struct buf *out)
{
	for (size_t i = 0; i < findings->n; i++)
		buf_printf(out, "%s %s: %s\n", level_text(findings->list[i].level),
				   findings->list[i].pointer, findings->list[i].text);
}

struct saga_def *definition_must_load(const char *yaml)
{
	struct findings findings = {0};
	struct saga_def *def = NULL;

	if (definition_load(yaml, &def, &findings) < 0) {
		struct buf out;

		buf_init(&out, 0);
		write_findings(&findings, &out);
		fprintf(stderr, "the definition does not load:\n%s\n%s", yaml, buf_str(&out));
		abort();
	}
	findings_release(&findings);
	return def;
}

void definition_findings(const char *yaml, struct buf *out)
{
	struct findings findings = {0};
	struct saga_def *def = NULL;

	if (definition_load(yaml, &def, &findings) == 0)
		saga_def_unref(def);
	write_findings(&findings, out);
	findings_release(&findings);
}
