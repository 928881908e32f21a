/*
 * The tables of commands: everything that `skald` can do, with the text that teaches it. Here are
 * those of definitions and of sagas.
 */
#include "coordinator/cli/command_tables.h"

#include "coordinator/cli/command_options.h"

const struct cli_group cli_groups[] = {
	{"def", "definitions: check, deploy and look at them"},
	{"idempotency", "idempotency keys: what the store and Redis know of one"},
	{"migrate", "migrations: bring the schema of a Postgres up to date"},
	{"node", "nodes: who is there, and who has which share"},
	{"saga", "sagas: start, watch and steer them"},
	{"step", "steps of a saga, and their compensations: put them right by hand"},
	{"approval", "approvals: what people are asked to decide"},
	{"lock", "locks: who holds which key, and who waits for it"},
	{"attention", "attention: what needs a person, in groups of one cause"},
	{"batch", "batches: one act on all sagas that match a filter"},
	{"schedule", "schedules: sagas that are started at times"},
	{"trigger", "triggers: sagas that records of Kafka start"},
	{"queue", "queues: tasks that wait for workers"},
	{"worker", "workers: who asks for tasks"},
	{"dlq", "dead letters: records of triggers that started nothing"},
};
const size_t cli_n_groups = ARRAY_SIZE(cli_groups);

#define MANY 500

static const struct cli_command commands[] = {
	{"dev", "[FILE...]", 0, MANY, "everything in one process, to try things out",
	 "Starts a server with the embedded store, deploys the definitions in the FILEs (without any:\n"
	 "the built-in examples), starts the example participants, and says what to type next. Needs\n"
	 "nothing else running. Ctrl-C stops it; what it knew is there again at the next start.\n"
	 "\n"
	 "The data lives in ./skald-data, or where --data says. The example participants are programs "
	 "of\n"
	 "their own; they are looked for beside the binary, in examples/*/participants/ (so the build\n"
	 "folder has them) and in ../libexec/skald/. A participant that has an address in the\n"
	 "configuration is not started. Examples that work over Kafka are there with brokers alone:\n"
	 "those of the configuration, or with --kafka some inside this process.\n"
	 "\n"
	 "Examples:\n"
	 "  skald dev\n"
	 "  skald dev my-saga.yaml --participant stock=http://localhost:9001\n"
	 "  skald dev --data /tmp/try --port 8000\n"
	 "  skald dev --kafka\n",
	 dev_options, false, false, true, cmd_dev},
	{"serve", "", 0, 0, "runs the server",
	 "Runs the server until SIGTERM or SIGINT, then drains: no new sagas (503), what is out may "
	 "end,\n"
	 "and what has not ended goes on at the next start.\n"
	 "\n"
	 "Every setting has a default, and can be set in the file, in the environment and as an "
	 "option,\n"
	 "the later ones winning: store.path is `store: {path: ...}` in the file, SKALD_STORE__PATH "
	 "in\n"
	 "the environment, and --store here. An unknown key is an error.\n"
	 "\n"
	 "Examples:\n"
	 "  skald serve --config skald.yaml\n"
	 "  skald serve --store /var/lib/skald/skald.db --participant stock=http://stock:8080\n"
	 "  SKALD_SERVER__PORT=8000 skald serve --print-config\n",
	 serve_options, false, false, true, cmd_serve},
	{"test", "[PATH...]", 0, MANY, "runs the tests of definitions, without a server",
	 "Runs the tests in files named *.test.yaml: those that are named, and those in the folders "
	 "that\n"
	 "are; without a PATH, in this folder. Each test starts a saga of the real engine, answers "
	 "its\n"
	 "calls as the file says, skips the time between them, and compares calls and end with what\n"
	 "is expected. Exits with 1 when one fails. docs/testing.md describes the files.\n"
	 "\n"
	 "Examples:\n"
	 "  skald test\n"
	 "  skald test sagas/order.test.yaml --filter declined\n"
	 "  skald test sagas --junit results.xml\n",
	 test_options, true, false, false, cmd_test},
	{"simulate", "FILE", 1, 1, "fails each step of a definition in each way, without a server",
	 "Runs the definition once as the first test beside it says (order.test.yaml for order.yaml;\n"
	 "without one, everything goes well), and then once for each step and each way to fail: a\n"
	 "definite failure, an unknown outcome, a time-out, a crash, the deadline, a cancel. Shows "
	 "what\n"
	 "is undone, in which order, and what stays and why. Exits with 1 when something stays "
	 "although\n"
	 "nobody said that it should, and when the first run itself does not come to its end: what it\n"
	 "waits for, or which act was refused, is said, and the steps behind that were not tried.\n"
	 "\n"
	 "Examples:\n"
	 "  skald simulate order.yaml\n"
	 "  skald simulate order.yaml --input @order.json -o json\n",
	 simulate_options, true, false, false, cmd_simulate},
	{"replay", "EXPORT...", 1, MANY, "plays exported histories on a changed definition",
	 "Decides each history of `skald saga export` again with another definition, and names the "
	 "first\n"
	 "event where it would decide otherwise. What the world said is taken from the history. Exits\n"
	 "with 1 when one differs.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga export 0198c0de-... --file order.saga.json\n"
	 "  skald replay *.saga.json --def order.yaml\n",
	 replay_options, true, false, false, cmd_replay},
	{"def validate", "FILE...", 1, MANY, "checks definitions, without a server",
	 "Reads each FILE (- is stdin) and reports everything that is wrong with it, each with its "
	 "line,\n"
	 "its JSON pointer and what would be right. Parts of the language that this version does not "
	 "run\n"
	 "yet are reported too. Exits with 1 when there was anything but warnings.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def validate order.yaml\n"
	 "  skald def validate sagas/*.yaml -o json\n",
	 NULL, true, false, false, cmd_def_validate},
	{"def lint", "FILE...", 1, MANY, "the same, and warnings count",
	 "As `skald def validate`, but exits with 1 for warnings as well: for use in a build.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def lint sagas/*.yaml\n",
	 NULL, true, false, false, cmd_def_lint},
	{"def deploy", "FILE...", 1, MANY, "makes definitions known to the server",
	 "Checks each FILE here, then sends it. A definition never changes: other content is a new\n"
	 "version, the same content is the version that is there. Sagas that run stay on theirs.\n"
	 "A new version starts all sagas from then on, or with --canary a share of them.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def deploy order.yaml\n"
	 "  skald def deploy order.yaml --canary 10\n"
	 "  skald def deploy order.yaml --dry-run\n",
	 deploy_options, true, true, false, cmd_def_deploy},
	{"def list", "[NAME]", 0, 1, "lists definitions, or the versions of one",
	 "Lists the newest version of each definition; with NAME, all versions of that one.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def list\n"
	 "  skald def list order-fulfilment -o json\n",
	 NULL, true, true, false, cmd_def_list, "@definitions"},
	{"def show", "NAME", 1, 1, "says which versions of a definition start sagas",
	 "Examples:\n"
	 "  skald def show order\n",
	 NULL, true, true, false, cmd_def_show, "@definitions"},
	{"def diff", "NAME [FROM] [TO]", 1, 3, "says what differs between two versions",
	 "Steps that are new, gone, elsewhere or changed, and all other keys. TO is the newest "
	 "version\n"
	 "unless it is said, FROM the one before it.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def diff order\n"
	 "  skald def diff order 3 7 -o json\n",
	 NULL, true, true, false, cmd_def_diff, "@definitions"},
	{"def canary", "NAME PERCENT [VERSION]", 2, 3, "gives a version a share of the new sagas",
	 "Which sagas belong to the share follows from their keys, so a start that is sent again goes\n"
	 "to the same version, and who is in a share stays in it when it grows. Without VERSION the\n"
	 "share of the canary that there is changes. All nodes follow within a second or two.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def canary order 10 4\n"
	 "  skald def canary order 50\n",
	 version_options, true, true, false, cmd_def_canary, "@definitions"},
	{"def promote", "NAME [VERSION]", 1, 2, "lets the canary, or VERSION, start all new sagas",
	 "Examples:\n"
	 "  skald def promote order\n",
	 version_options, true, true, false, cmd_def_promote, "@definitions"},
	{"def rollback", "NAME [VERSION]", 1, 2, "ends a canary, or goes back to an earlier version",
	 "With a canary and without VERSION, the canary ends. Else VERSION starts all new sagas, or\n"
	 "the version that did before. Sagas that run stay on theirs.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def rollback order\n"
	 "  skald def rollback order 3 --reason 'version 4 charges twice'\n",
	 version_options, true, true, false, cmd_def_rollback, "@definitions"},
	{"def pause", "NAME", 1, 1, "starts no more sagas of a definition, on all nodes",
	 "Starts over HTTP are refused (409 definition_paused), triggers of Kafka leave their records\n"
	 "where they are, schedules skip, and steps that start it as a child wait. Sagas that run go\n"
	 "on; `skald batch start pause` pauses those.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def pause order --reason 'stock is being counted'\n",
	 version_options, true, true, false, cmd_def_pause, "@definitions"},
	{"def resume", "NAME", 1, 1, "starts sagas of a definition again",
	 "Examples:\n"
	 "  skald def resume order\n",
	 version_options, true, true, false, cmd_def_resume, "@definitions"},
	{"def graph", "FILE", 1, 1, "draws the steps of a definition",
	 "Shows which step waits for which, what is undone and where the way back ends. The text form\n"
	 "is for the terminal, mermaid for Markdown, dot for Graphviz.\n"
	 "\n"
	 "Examples:\n"
	 "  skald def graph order.yaml\n"
	 "  skald def graph order.yaml --format dot | dot -Tsvg > order.svg\n",
	 graph_options, true, false, false, cmd_def_graph},
	{"saga start", "NAME [INPUT]", 1, 2, "starts a saga",
	 "Starts a saga of the definition NAME. INPUT is JSON, @FILE, or - for stdin; default {}.\n"
	 "Sending it twice with the same key gives the same saga; with another input under that key "
	 "it\n"
	 "is refused (exit code 5). Without any key each call starts another saga.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga start payment '{\"order\": \"o-1\", \"amount_minor\": 1999}'\n"
	 "  skald saga start order-fulfilment @order.json --wait --timeout 30s\n"
	 "  skald saga start payment @p.json -o json | jq -r .id\n",
	 start_options, true, true, false, cmd_saga_start, "@definitions"},
	{"saga list", "[FILTER...]", 0, MANY, "lists sagas, the newest first",
	 "A FILTER is name:value; all of them must hold. They are the same in the API, in the "
	 "dashboard\n"
	 "and with -q:\n"
	 "  status:running,compensating   one of these statuses\n"
	 "  saga:order-*  version:3       the definition; * and ? as in a shell\n"
	 "  key:o-17*                     the business key; a bare word is a whole key, or an id\n"
	 "  attention:true                those that need a person; also kind:stuck, step:charge,\n"
	 "  group:4f1c...                 and those of one group of `skald attention list`\n"
	 "  owner:ana                     those that a person takes care of\n"
	 "  search.customer:42            by a value of their `search`\n"
	 "  label.team:fulfilment         by a label of their definition\n"
	 "  started>2026-01-01            also < for before\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga list\n"
	 "  skald saga list status:compensation_failed\n"
	 "  skald saga list -q 'saga:order-* started>2026-01-01' --all -o jsonl\n",
	 list_options, true, true, false, cmd_saga_list, "@filters"},
	{"saga show", "ID", 1, 1, "shows a saga as a ledger",
	 "Shows what a saga has done: each action, on the same row its compensation, and what is "
	 "still\n"
	 "owed. -o json gives all there is, inputs and outputs too. --at shows it as it stood at a "
	 "row\n"
	 "of its history.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga show 019a2b3c-...\n"
	 "  skald saga show 019a2b3c-... --at 4\n"
	 "  skald saga show 019a2b3c-... -o json | jq .output\n",
	 show_options, true, true, false, cmd_saga_show, "@sagas"},
	{"saga history", "ID", 1, 1, "shows what happened, one line an event",
	 "The history is the truth about a saga; everything else follows from it. Times are UTC.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga history 019a2b3c-...\n"
	 "  skald saga history 019a2b3c-... -o jsonl | jq -c .type\n",
	 NULL, true, true, false, cmd_saga_history, "@sagas"},
	{"saga children", "ID", 1, 1, "shows the sagas that its steps have started, as a tree",
	 "Lists the children of a saga and what these have started. A child that is held is done, and\n"
	 "waits for the end of its parent.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga children 019a2b3c-...\n"
	 "  skald saga children 019a2b3c-... -o json\n",
	 NULL, true, true, false, cmd_saga_children, "@sagas"},
	{"saga watch", "ID", 1, 1, "follows a saga until it ends",
	 "Prints what happens, as it happens, one line an event; ends with the saga, and exits as\n"
	 "`saga wait` does.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga watch 019a2b3c-...\n",
	 watch_options, true, true, false, cmd_saga_watch, "@sagas"},
	{"saga export", "ID", 1, 1, "writes all that is known of a saga into a file",
	 "One JSON document: the saga, its definition and those of its children, its history and its\n"
	 "compensations: for `skald replay`, or to look at it elsewhere (`skald saga import`). A "
	 "history\n"
	 "holds no secrets, but it holds inputs and answers.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga export 0198c0de-... --file order.saga.json\n",
	 export_options, false, true, false, cmd_saga_export, "@sagas"},
	{"saga import", "FILE", 1, 1, "puts an exported saga into a store file, to look at it",
	 "Writes a saga of `skald saga export`, with its definitions, into a store file that no "
	 "server\n"
	 "has open; `skald serve --store FILE` then shows it. The copy does nothing: one that has not\n"
	 "ended where it came from gets one more row, which says so and ends it here. A saga or a key\n"
	 "that is there already is refused. Children are exported and imported by themselves.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga import order.saga.json --store look.db\n",
	 import_options, false, false, false, cmd_saga_import},
	{"saga wait", "ID", 1, 1, "waits for the end; the exit code says which",
	 "Waits until the saga has ended or needs a person, prints it, and exits with 0 (completed),\n"
	 "20 (compensated), 21 (compensation_failed), 22 (failed or terminated), or 124 when the time\n"
	 "ran out first.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga wait 019a2b3c-... --timeout 1m && echo paid\n",
	 wait_options, true, true, false, cmd_saga_wait, "@sagas"},
	{"saga acts", "ID", 1, 1, "shows which acts the saga takes now, and why not the others",
	 "For the saga as a whole, and for each action and compensation that has begun or may be "
	 "needed.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga acts 019a2b3c-...\n",
	 NULL, true, true, false, cmd_saga_acts, "@sagas"},
	{"saga cancel", "ID", 1, 1, "ends a saga by undoing what it did",
	 "The saga stops going forward, and what it did is undone. Past its pivot there is no way "
	 "back,\n"
	 "and it is refused (exit code 5).\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga cancel 019a2b3c-... --reason 'customer called'\n"
	 "  skald saga cancel 019a2b3c-... --dry-run\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga terminate", "ID", 1, 1, "ends a saga without undoing anything",
	 "The saga ends where it stands. Nothing is undone: what it did stays done, and is yours to\n"
	 "put right. To undo, use `skald saga cancel`.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga terminate 019a2b3c-... --reason 'settled by hand'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga pause", "ID", 1, 1, "begins and sends nothing until it is resumed",
	 "Answers to what is out are taken in. Deadlines and timers stand still.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga pause 019a2b3c-... --reason 'stock service is being moved'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga resume", "ID", 1, 1, "goes on with a paused saga",
	 "All its deadlines move by the length of the pause; then what is due goes on.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga resume 019a2b3c-... --reason 'the stock service is back'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga compensate", "ID", 1, 1, "undoes now: begins the way back, or goes on with it",
	 "As cancel. Of a saga that is being undone, each undo that failed or backs off is tried now.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga compensate 019a2b3c-... --reason 'the bank is back'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga retry", "ID", 1, 1, "tries again now what stands still, or begins a step anew",
	 "Each action that is parked or backs off, and each undo that failed or backs off, is tried "
	 "now.\n"
	 "With --from, a saga that is being undone turns round: this step and all that depend on it "
	 "begin\n"
	 "anew, under new idempotency keys. That is refused where an effect would be lost.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga retry 019a2b3c-... --reason 'the warehouse is up again'\n"
	 "  skald saga retry 019a2b3c-... --from charge --reason 'new card'\n"
	 "  skald saga retry 019a2b3c-... --from charge --dry-run\n",
	 retry_saga_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga reset", "ID", 1, 1, "goes back to a place in the history",
	 "What was not done at that row begins anew; see `skald saga history`. It is refused where an "
	 "effect\n"
	 "would be lost, and says which row would do.\n"
	 "\n"
	 "A saga that has ended stays as it is: a new run of it begins, another saga, with the "
	 "history\n"
	 "up to that row and with its key. What was settled there is not done again. It is refused,\n"
	 "with every reason, where that does not stand any more or something is left of what came "
	 "after.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga reset 019a2b3c-... --to 4 --reason 'wrong price list'\n",
	 reset_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga migrate", "ID", 1, 1, "lets a saga go on by another version of its definition",
	 "It is refused where that version would have decided otherwise up to now, with the first "
	 "event\n"
	 "that would be another. Many at once: `skald batch start migrate`.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga migrate 019a2b3c-... --version 4 --dry-run\n",
	 migrate_saga_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga signal", "ID NAME [VALUE]", 2, 3, "tells a saga something that it waits for, or will",
	 "VALUE is JSON, @FILE, or - for stdin. A signal is kept until a step awaits it.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga signal 019a2b3c-... approved '{\"by\": \"ana\"}'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga acknowledge", "ID", 1, 1, "says that what a person was to know is known",
	 "Takes away a notice, such as that of a success that came too late and was put right, or that "
	 "the\n"
	 "deadline has passed; also of a saga that has ended. What is stuck or parked stays: see\n"
	 "`skald step`.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga acknowledge 019a2b3c-... --reason 'refunded at the bank, ticket 4711'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga note", "ID TEXT", 2, 2, "leaves a remark in the history",
	 "Also of a saga that has ended.\n"
	 "\n"
	 "Examples:\n"
	 "  skald saga note 019a2b3c-... 'asked the bank, ticket 4711'\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"saga owner", "ID [NAME]", 1, 2, "says who takes care of a saga; without a NAME: nobody",
	 "Examples:\n"
	 "  skald saga owner 019a2b3c-... ana\n"
	 "  skald saga list owner:ana\n",
	 act_options, true, true, false, cmd_saga_act, "@sagas"},
	{"step retry", "ID STEP", 2, 2, "tries an action or a compensation again now",
	 "A parked one gets new attempts, with a new retry budget and deadline. With --request, an "
	 "edited\n"
	 "request goes out under a new idempotency key; that is refused as long as an attempt may have "
	 "taken\n"
	 "effect.\n"
	 "\n"
	 "Examples:\n"
	 "  skald step retry 019a2b3c-... charge --reason 'the bank is back'\n"
	 "  skald step retry 019a2b3c-... refund --compensation --dry-run\n"
	 "  skald step retry 019a2b3c-... ship --request '{\"body\": {\"to\": \"Oslo\"}}'\n",
	 retry_step_options, false, true, false, cmd_step_act, "@sagas|@steps"},
	{"step skip", "ID STEP", 2, 2, "goes on without an action or a compensation",
	 "Of a step, --output says what the steps after it see.\n"
	 "\n"
	 "Examples:\n"
	 "  skald step skip 019a2b3c-... notify --reason 'told by telephone'\n"
	 "  skald step skip 019a2b3c-... refund --compensation --reason 'was never charged'\n",
	 skip_step_options, false, true, false, cmd_step_act, "@sagas|@steps"},
	{"step complete", "ID STEP", 2, 2, "says that it was done by other means",
	 "--output is what the step gives; --reply is what the participant would have answered, from "
	 "which\n"
	 "the definition makes the output.\n"
	 "\n"
	 "Examples:\n"
	 "  skald step complete 019a2b3c-... charge --reply '{\"charge\": \"c-1\"}' --reason 'charged "
	 "by hand'\n"
	 "  skald step complete 019a2b3c-... refund --compensation --reason 'refunded by the bank'\n",
	 complete_step_options, false, true, false, cmd_step_act, "@sagas|@steps"},
	{"step fail", "ID STEP", 2, 2, "says that it has definitely failed, without effect",
	 "Of a compensation: it is not tried any more, and waits for a person.\n"
	 "\n"
	 "Examples:\n"
	 "  skald step fail 019a2b3c-... charge --code card_stolen --reason 'the bank says so'\n",
	 fail_step_options, false, true, false, cmd_step_act, "@sagas|@steps"},
	{"step resolve", "ID STEP OUTCOME", 3, 3, "says what became of an unknown outcome",
	 "OUTCOME is happened (as complete), did_not_happen (then it can be retried, skipped or "
	 "failed), or\n"
	 "probe, which asks the probe of the definition now.\n"
	 "\n"
	 "Examples:\n"
	 "  skald step resolve 019a2b3c-... charge happened --reply '{\"charge\": \"c-1\"}' --reason "
	 "'seen at the bank'\n"
	 "  skald step resolve 019a2b3c-... charge did_not_happen --reason 'not in the ledger of the "
	 "bank'\n"
	 "  skald step resolve 019a2b3c-... charge probe\n",
	 complete_step_options, false, true, false, cmd_step_act,
	 "@sagas|@steps|happened did_not_happen probe"},
};

/* In the order of the documentation. */
static const struct cli_command_table own = {commands, ARRAY_SIZE(commands)};
static const struct cli_command_table *const tables[] = {
	&own, &cli_commands_operators, &cli_commands_messages, &cli_commands_server};

const struct cli_command *cli_command_at(size_t i)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		if (i < tables[t]->n)
			return &tables[t]->commands[i];
		i -= tables[t]->n;
	}
	return NULL;
}
