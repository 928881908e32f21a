/* The options that commands take, beside their own names in commands.c. */
#include "coordinator/cli/command_options.h"

#include "coordinator/config.h"

const struct cli_option cli_client_options[] = {
	{"server", 0, "URL", "the server; default $SKALD_SERVER, else http://127.0.0.1:7878"},
	{"namespace", 'n', "NAME", "the namespace; default $SKALD_NAMESPACE, else `default`"},
	{NULL},
};

const struct cli_option cli_output_options[] = {
	{"output", 'o', "FORMAT", "table, json, jsonl or yaml; default table", "table json jsonl yaml"},
	{NULL},
};

const struct cli_option *cli_setting_options(void)
{
	static struct cli_option options[CONFIG_SETTING_COUNT + 3];

	if (options[0].name)
		return options;
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		options[i] =
			(struct cli_option){config_settings[i].flag, 0, "VALUE", config_settings[i].help};
	options[CONFIG_SETTING_COUNT] =
		(struct cli_option){"participant", 0, "NAME=URL", "where a participant lives; repeatable"};
	options[CONFIG_SETTING_COUNT + 1] = (struct cli_option){
		"config", 0, "FILE", "configuration file (YAML); default $SKALD_CONFIG"};
	return options;
}

const struct cli_option serve_options[] = {
	{"print-config", 0, NULL, "prints the effective configuration, secrets masked, and ends"},
	{NULL},
};

const struct cli_option dev_options[] = {
	{"data", 0, "DIR", "folder for everything that is kept; default ./skald-data"},
	{"kafka", 0, NULL, "brings Kafka brokers of its own, which forget all when it ends"},
	{"no-participants", 0, NULL, "does not start the example participants"},
	{NULL},
};

const struct cli_option bench_options[] = {
	{"saga", 0, "NAME", "the definition to start; needed", "@definitions"},
	{"input", 0, "JSON", "its input: JSON, @FILE, or - for stdin; \"{n}\" in it becomes a number"},
	{"concurrency", 'c', "N", "sagas at a time; default 16"},
	{"seconds", 's', "S", "how long; default 10"},
	{NULL},
};

const struct cli_option test_options[] = {
	{"filter", 0, "TEXT", "only tests whose names have this in them"},
	{"junit", 0, "FILE", "writes the results as JUnit's XML, too"},
	{NULL},
};

const struct cli_option simulate_options[] = {
	{"input", 0, "JSON", "the input: JSON, @FILE, or - for stdin; default that of the test"},
	{"tests", 0, "FILE", "a file of tests; default the one beside FILE, if there is one"},
	{"test", 0, "TEXT", "the test to vary: the first with this in its name"},
	{NULL},
};

const struct cli_option replay_options[] = {
	{"def", 0, "FILE", "the definition; needed"},
	{"times", 0, NULL, "due times and deadlines must be the same, too"},
	{NULL},
};

const struct cli_option import_options[] = {
	{"store", 0, "FILE", "the store file, which is made if it is not there; needed"},
	{NULL},
};

const struct cli_option export_options[] = {
	{"file", 'f', "FILE", "where to write it; default stdout"},
	{NULL},
};

const struct cli_option graph_options[] = {
	{"format", 'f', "FORMAT", "text, mermaid or dot; default text", "text mermaid dot"},
	{NULL},
};

const struct cli_option deploy_options[] = {
	{"dry-run", 0, NULL, "lets the server check the definition, and deploys nothing"},
	{"canary", 0, "PERCENT", "a new version starts only this share of the sagas"},
	{NULL},
};

const struct cli_option version_options[] = {
	{"reason", 'r', "TEXT", "why; of a pause it is shown"},
	{NULL},
};

const struct cli_option start_options[] = {
	{"key", 'k', "KEY", "business key: one saga for one key (unless the definition says its own)"},
	{"idempotency-key", 0, "KEY", "names this request, so that it can be sent again safely"},
	{"version", 0, "N", "version of the definition; default the current one"},
	{"wait", 'w', NULL, "waits for the end, and exits as `saga wait` does"},
	{"timeout", 't', "DURATION", "how long --wait waits; default for ever"},
	{NULL},
};

const struct cli_option list_options[] = {
	{"query", 'q', "FILTER", "as the arguments: name:value, several joined by spaces", "@filters"},
	{"limit", 'l', "N", "how many at most; default 50"},
	{"all", 'a', NULL, "all that match, page after page"},
	{NULL},
};

const struct cli_option watch_options[] = {
	{"interval", 'i', "DURATION", "how often it looks; default 500ms"},
	{"timeout", 't', "DURATION", "how long at most; default for ever"},
	{NULL},
};

const struct cli_option wait_options[] = {
	{"timeout", 't', "DURATION", "how long at most; default for ever"},
	{NULL},
};

/* What every act takes. */
#define ACT_OPTIONS                                                                                \
	{"reason", 'r', "TEXT", "why; it is kept in the history"},                                     \
		{"by", 0, "NAME", "who does it; default $USER"},                                           \
		{"id", 0, "TEXT", "names this act: given again it changes nothing"},                       \
		{"if-match", 0, "SEQ", "only if the history still ends at this row"},                      \
	{                                                                                              \
		"dry-run", 0, NULL, "shows the calls that it would make, and makes none"                   \
	}

/* Where --output is what a step gave. */
#define FORMAT_OPTION                                                                              \
	{                                                                                              \
		"format", 'o', "FORMAT", "table, json, jsonl or yaml; default table",                      \
			"table json jsonl yaml"                                                                \
	}

#define TARGET_OPTIONS                                                                             \
	{"compensation", 'c', NULL, "of its compensation, not of the step itself"},                    \
	{                                                                                              \
		"item", 0, "N", "which item or turn of the step, from 0"                                   \
	}

#define REQUEST_OPTION                                                                             \
	{                                                                                              \
		"request", 0, "JSON|@FILE|-",                                                              \
			"replaces parts of the request: path, headers, body, record_key"                       \
	}

#define OUTPUT_OPTIONS                                                                             \
	{"output", 0, "JSON|@FILE|-", "the output of the step"},                                       \
	{                                                                                              \
		"reply", 0, "JSON|@FILE|-", "the answer of the participant, to make the output from"       \
	}

const struct cli_option act_options[] = {ACT_OPTIONS, {NULL}};

const struct cli_option retry_saga_options[] = {
	{"from", 0, "STEP", "turns a saga round that is being undone: this step begins anew"},
	ACT_OPTIONS,
	{NULL},
};

const struct cli_option show_options[] = {
	{"at", 0, "SEQ", "as it stood at this row of its history (`skald saga history`)"},
	{NULL},
};

const struct cli_option reset_options[] = {
	{"to", 0, "SEQ", "the row of the history to go back to; needed"},
	ACT_OPTIONS,
	{NULL},
};

const struct cli_option migrate_saga_options[] = {
	{"version", 0, "N", "the version to go on by; needed"},
	ACT_OPTIONS,
	{NULL},
};

const struct cli_option retry_step_options[] = {
	TARGET_OPTIONS, REQUEST_OPTION, ACT_OPTIONS, FORMAT_OPTION, {NULL}};

const struct cli_option skip_step_options[] = {
	TARGET_OPTIONS, {"output", 0, "JSON|@FILE|-", "the output of the step"},
	ACT_OPTIONS,    FORMAT_OPTION,
	{NULL},
};

const struct cli_option complete_step_options[] = {
	TARGET_OPTIONS, OUTPUT_OPTIONS, ACT_OPTIONS, FORMAT_OPTION, {NULL}};

const struct cli_option fail_step_options[] = {
	TARGET_OPTIONS,
	{"code", 0, "WORD", "the code of the failure"},
	{"message", 'm', "TEXT", "the message of the failure"},
	ACT_OPTIONS,
	FORMAT_OPTION,
	{NULL},
};

const struct cli_option approval_list_options[] = {
	{"group", 'g', "NAME", "only what this group may decide"},
	{"by", 0, "NAME", "only what this person may decide, and has not"},
	{"groups", 0, "NAME,...",
	 "with --by: groups that the person is in, where the server knows none"},
	{"limit", 'l', "N", "how many at most; default 50"},
	{"all", 'a', NULL, "all that wait, page after page"},
	{NULL},
};

const struct cli_option lock_options[] = {
	{"limit", 'l', "N", "how many at most; default 100"},
	{NULL},
};

const struct cli_option approval_show_options[] = {
	{"item", 0, "N", "which item or turn of the step, from 0"},
	{NULL},
};

const struct cli_option decide_options[] = {
	{"item", 0, "N", "which item or turn of the step, from 0"},
	{"data", 'd', "JSON|@FILE|-", "what the form asks for"},
	{"groups", 0, "NAME,...", "groups that you are in, where the server knows none"},
	ACT_OPTIONS,
	{NULL},
};

const struct cli_option say_options[] = {
	{"reason", 'r', "TEXT", "why; it is shown with the group"},
	{"by", 0, "NAME", "who says it; default $USER"},
	{NULL},
};

const struct cli_option batch_start_options[] = {
	{"query", 'q', "FILTER", "the sagas: name:value, several joined by spaces; needed", "@filters"},
	{"rate", 0, "N", "sagas a second at most; default as fast as it goes"},
	{"watch", 'w', NULL, "follows it to its end, and exits as `batch watch` does"},
	{"reason", 'r', "TEXT", "why; it is kept in each history"},
	{"by", 0, "NAME", "who does it; default $USER"},
	{"dry-run", 0, NULL, "shows how many sagas match, and for some the calls; does nothing"},
	{"from", 0, "STEP", "of retry: this step begins anew"},
	{"owner", 0, "NAME", "of owner"},
	{"version", 0, "N", "of migrate: the version to go on by"},
	{"signal", 0, "NAME", "of signal: its name"},
	{"value", 0, "JSON|@FILE|-", "of signal: its value"},
	{"code", 0, "WORD", "of fail"},
	{"message", 'm', "TEXT", "of fail"},
	{"outcome", 0, "WORD", "of resolve", "happened did_not_happen probe"},
	TARGET_OPTIONS,
	REQUEST_OPTION,
	OUTPUT_OPTIONS,
	FORMAT_OPTION,
	{NULL},
};

const struct cli_option batch_items_options[] = {
	{"status", 0, "STATUS", "only pending, done, refused or failed", "pending done refused failed"},
	{"limit", 'l', "N", "how many at most; default 50"},
	{"all", 'a', NULL, "all, page after page"},
	{NULL},
};

const struct cli_option batch_steer_options[] = {
	{"by", 0, "NAME", "who does it; default $USER"},
	{NULL},
};

const struct cli_option schedule_options[] = {
	{"reason", 'r', "TEXT", "why; of a pause it is shown"},
	{NULL},
};

const struct cli_option backfill_options[] = {
	{"from", 0, "TIME", "the first planned time, as in 2026-01-31T12:00:00Z"},
	{"to", 0, "TIME", "the last one"},
	{"overlap", 0, "HOW", "queue: one after the other (default); start: beside each other",
	 "queue start"},
	{"reason", 'r', "TEXT", "why"},
	{NULL},
};

const struct cli_option trigger_options[] = {
	{"reason", 'r', "TEXT", "why; it is shown with the trigger"},
	{NULL},
};

const struct cli_option queue_options[] = {
	{"rate", 0, "N", "tasks a second, on all nodes together; or none"},
	{"concurrent", 0, "N", "tasks leased at a time, 1 to 1000; or none"},
	{"build", 0, "BUILD", "only workers of this build are given tasks; or none"},
	{"ramp", 0, "BUILD:PERCENT", "this share of the sagas goes to this build; or none"},
	{"by", 0, "NAME", "who says so; default $USER"},
	{NULL},
};

const struct cli_option seek_options[] = {
	{"partition", 'p', "N", "only this one; default all"},
	{"reason", 'r', "TEXT", "why; it is shown with the trigger"},
	{NULL},
};

const struct cli_option dlq_list_options[] = {
	{"trigger", 0, "DEFINITION/TOPIC", "only of this trigger"},
	{"reason", 0, "WORD", "only with this reason: invalid_input, key_conflict, ..."},
	{"status", 0, "STATUS", "only waiting, redriven or discarded", "waiting redriven discarded"},
	{"limit", 'l', "N", "how many at most; default 50"},
	{"all", 'a', NULL, "all that match, page after page"},
	{NULL},
};

const struct cli_option redrive_options[] = {
	{"value", 0, "TEXT|@FILE|-", "another value, with ID"},
	{"key", 0, "TEXT|@FILE|-", "another key, with ID"},
	{"trigger", 0, "DEFINITION/TOPIC", "all that wait of this trigger"},
	{"reason", 0, "WORD", "all that wait with this reason"},
	{"limit", 'l', "N", "how many at most; default and most 100"},
	{"all", 'a', NULL, "whatever waits, up to the limit"},
	{NULL},
};

const struct cli_option schema_options[] = {
	{"store", 0, "URL", "the store; default store.path of the configuration"},
	{"config", 0, "FILE", "configuration file (YAML); default $SKALD_CONFIG"},
	{NULL},
};

const struct cli_option migrate_options[] = {
	{"store", 0, "URL", "the store; default store.path of the configuration"},
	{"config", 0, "FILE", "configuration file (YAML); default $SKALD_CONFIG"},
	{"slots", 0, "N", "slots of an empty database, fixed from then on; default 256"},
	{NULL},
};
