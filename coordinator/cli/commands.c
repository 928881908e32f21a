/*
 * The table of commands: everything that `skald` can do, with the text that teaches it.
 */
#include "coordinator/cli/cli.h"

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

const struct cli_command cli_commands[] = {
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
	 "nobody said that it should.\n"
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
	{"approval list", "", 0, 0, "lists what waits to be decided, those asked first, first",
	 "Who is in a group stands in the server's configuration (approvals.groups); of a group that "
	 "it does\n"
	 "not know your own word is taken.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval list --group underwriters\n"
	 "  skald approval list --by ann\n",
	 approval_list_options, true, true, false, cmd_approval_list, ""},
	{"approval show", "ID STEP", 2, 2, "shows an approval, what it asks for, and who decided",
	 "Examples:\n"
	 "  skald approval show 019a2b3c-... review\n",
	 approval_show_options, true, true, false, cmd_approval_show, "@sagas|@steps"},
	{"approval approve", "ID STEP", 2, 2, "decides for it",
	 "It goes on when as many have approved as it asks for.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval approve 019a2b3c-... review --by ann --data '{\"amount_minor\": 150000}'\n",
	 decide_options, true, true, false, cmd_step_act, "@sagas|@steps"},
	{"approval reject", "ID STEP", 2, 2, "decides against it",
	 "Enough rejections fail the step with the code rejected, and what was done is undone.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval reject 019a2b3c-... review --by ann --reason 'no income'\n",
	 decide_options, true, true, false, cmd_step_act, "@sagas|@steps"},
	{"lock list", "ID", 1, 1, "lists the locks that a saga holds or waits for",
	 "Examples:\n"
	 "  skald lock list 019a2b3c-...\n",
	 lock_options, true, true, false, cmd_lock_list, "@sagas"},
	{"lock show", "KEY", 1, 1, "shows who holds a key, and who waits for it, in line",
	 "Examples:\n"
	 "  skald lock show account:42\n",
	 lock_options, true, true, false, cmd_lock_show, ""},
	{"attention list", "", 0, 0, "lists what needs a person, in groups of one cause",
	 "Sagas of one definition with the same trouble in the same step are one group, and are "
	 "repaired in\n"
	 "the same way: one by one, or as a batch with -q group:ID.\n"
	 "\n"
	 "Examples:\n"
	 "  skald attention list\n"
	 "  skald batch start retry refund --compensation -q group:4f1c... --reason 'the bank is "
	 "back'\n",
	 NULL, true, true, false, cmd_attention_list, ""},
	{"attention show", "GROUP", 1, 1, "shows a group, and what is said about it",
	 "Examples:\n"
	 "  skald attention show 4f1c...\n"
	 "  skald saga list group:4f1c...\n",
	 NULL, true, true, false, cmd_attention_show, "@groups"},
	{"attention acknowledge", "GROUP", 1, 1, "says that a person has seen it",
	 "Examples:\n"
	 "  skald attention acknowledge 4f1c... --reason 'the bank is down until noon'\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"attention unacknowledge", "GROUP", 1, 1, "takes that back",
	 "Examples:\n"
	 "  skald attention unacknowledge 4f1c...\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"attention owner", "GROUP [NAME]", 1, 2, "says who takes care of it; without a NAME: nobody",
	 "Examples:\n"
	 "  skald attention owner 4f1c... ana\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"batch start", "ACT [STEP]", 1, 2, "acts on all sagas that match, each for itself",
	 "ACT is an act of `skald saga`, or with a STEP one of `skald step`. The server finds the "
	 "sagas once,\n"
	 "then acts on them one after the other; what became of each is kept. A saga that is acted on "
	 "twice\n"
	 "takes the act once.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch start retry -q 'saga:payment attention:true' --reason 'the bank is back' "
	 "--dry-run\n"
	 "  skald batch start retry refund --compensation -q group:4f1c... --rate 20 --watch\n"
	 "  skald batch start cancel -q 'saga:order-* started<2026-01-01' --reason 'too old'\n",
	 batch_start_options, false, true, false, cmd_batch_start, "@acts|@steps"},
	{"batch list", "", 0, 0, "lists batches, the newest first",
	 "Examples:\n"
	 "  skald batch list\n",
	 NULL, true, true, false, cmd_batch_list, ""},
	{"batch show", "BATCH", 1, 1, "shows a batch and how far it has come",
	 "Exits with 7 when it has ended, and some of it was refused or failed.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch show 7f3c...\n",
	 NULL, true, true, false, cmd_batch_show, "@batches"},
	{"batch items", "BATCH", 1, 1, "shows what became of each saga of a batch",
	 "Examples:\n"
	 "  skald batch items 7f3c... --status failed\n"
	 "  skald batch items 7f3c... --all -o jsonl | jq -r .saga\n",
	 batch_items_options, true, true, false, cmd_batch_items, "@batches"},
	{"batch stop", "BATCH", 1, 1, "stops it; what was done stays done",
	 "Examples:\n"
	 "  skald batch stop 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch resume", "BATCH", 1, 1, "goes on with a batch that was stopped",
	 "Examples:\n"
	 "  skald batch resume 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch retry", "BATCH", 1, 1, "tries again what was refused or failed",
	 "Examples:\n"
	 "  skald batch retry 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch watch", "BATCH", 1, 1, "follows a batch to its end",
	 "Shows how far it has come, on stderr, then the batch. Exits with 7 when some of it was "
	 "refused or\n"
	 "failed, and with 1 when it was stopped.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch watch 7f3c...\n",
	 watch_options, true, true, false, cmd_batch_watch, "@batches"},
	{"idempotency show", "DEFINITION KEY", 2, 2, "shows the saga that has a key",
	 "Shows what the store knows of the key, which is what counts, and whether the pointer in "
	 "Redis\n"
	 "agrees with it: agrees, stale, none, unavailable (Redis does not answer), or off.\n"
	 "\n"
	 "Examples:\n"
	 "  skald idempotency show payment o-17\n"
	 "  skald idempotency show payment o-17 -o json | jq -r .saga.id\n",
	 NULL, true, true, false, cmd_idempotency_show},
	{"idempotency expire", "DEFINITION KEY", 2, 2, "removes the pointer to a key from Redis",
	 "Removes the pointer from Redis, and only that. The key stays taken: the store knows it for "
	 "as\n"
	 "long as it keeps the saga, and a start with it still gives that saga.\n"
	 "\n"
	 "Examples:\n"
	 "  skald idempotency expire payment o-17\n",
	 NULL, true, true, false, cmd_idempotency_expire},
	{"schedule list", "", 0, 0, "lists the schedules, and when each is due next",
	 "Each `start_on: {schedule}` of the current version of a definition is a schedule, called\n"
	 "after the definition and its name or number there.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule list\n",
	 NULL, true, true, false, cmd_schedule_list},
	{"schedule show", "DEFINITION/ENTRY", 1, 1, "shows a schedule, with what became of its times",
	 "Examples:\n"
	 "  skald schedule show report/nightly\n",
	 NULL, true, true, false, cmd_schedule_show},
	{"schedule pause", "DEFINITION/ENTRY", 1, 1, "lets its times pass without a start",
	 "Times that pass meanwhile are skipped, and not made up for.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule pause report/nightly --reason 'the warehouse moves'\n",
	 schedule_options, true, true, false, cmd_schedule_pause},
	{"schedule resume", "DEFINITION/ENTRY", 1, 1, "lets its times start sagas again",
	 "Examples:\n"
	 "  skald schedule resume report/nightly\n",
	 schedule_options, true, true, false, cmd_schedule_resume},
	{"schedule trigger", "DEFINITION/ENTRY", 1, 1, "starts a saga now, beside what is planned",
	 "Examples:\n"
	 "  skald schedule trigger report/nightly\n",
	 schedule_options, true, true, false, cmd_schedule_trigger},
	{"schedule backfill", "DEFINITION/ENTRY", 1, 1,
	 "starts what was planned in a time that is past",
	 "A planned time that has started its saga before starts none again. The sagas run one after\n"
	 "the other, or with --overlap start beside each other.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule backfill report/1 --from 2026-01-01T00:00:00Z --to 2026-01-31T23:59:59Z\n",
	 backfill_options, true, true, false, cmd_schedule_backfill},
	{"trigger list", "", 0, 0, "lists the triggers and their lag",
	 "Each `start_on` of the current version of a definition is a trigger, called after the\n"
	 "definition and its topic. Counts are those of the node that answers, since it runs; the lag\n"
	 "is that of its partitions.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger list\n"
	 "  skald trigger list -o json | jq '.[] | select(.state != \"running\")'\n",
	 NULL, true, true, false, cmd_trigger_list},
	{"trigger show", "DEFINITION/TOPIC", 1, 1, "shows a trigger, with all partitions of its topic",
	 "Ends and committed offsets are asked of the brokers, for the partitions of all nodes.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger show order/orders.placed\n",
	 NULL, true, true, false, cmd_trigger_show},
	{"trigger pause", "DEFINITION/TOPIC", 1, 1, "stops taking records, on all nodes",
	 "Takes effect within seconds; what is under way ends. Restarts do not resume it.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger pause order/orders.placed --reason 'stock service is down'\n",
	 trigger_options, true, true, false, cmd_trigger_pause},
	{"trigger resume", "DEFINITION/TOPIC", 1, 1, "goes on, on all nodes",
	 "A record that paused the trigger by its policy for poison is tried again first. To leave it\n"
	 "behind, seek to the offset after it, then resume.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger resume order/orders.placed\n",
	 trigger_options, true, true, false, cmd_trigger_resume},
	{"trigger seek", "DEFINITION/TOPIC TO", 2, 2, "goes on from another place",
	 "TO is earliest, latest, an offset, or a time as in 2026-01-31T12:00:00Z. Records that "
	 "started\n"
	 "a saga before are deduplicated by their key, as long as the saga is kept.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger seek order/orders.placed 1042 --partition 3\n"
	 "  skald trigger seek order/orders.placed 2026-01-31T12:00:00Z\n",
	 seek_options, true, true, false, cmd_trigger_seek},
	{"queue list", "", 0, 0, "lists the queues that workers ask, and what waits in them",
	 "How many tasks wait and are leased is counted in the store, for all nodes; pollers and "
	 "rates\n"
	 "are those of the node that answers.\n"
	 "\n"
	 "Examples:\n"
	 "  skald queue list\n"
	 "  skald queue list -o json | jq '.[] | select(.queued > 100 and .pollers == 0)'\n",
	 NULL, true, true, false, cmd_queue_list},
	{"queue show", "QUEUE", 1, 1, "shows a queue with its settings and workers",
	 "Examples:\n"
	 "  skald queue show shipping\n",
	 NULL, true, true, false, cmd_queue_show},
	{"queue set", "QUEUE", 1, 1, "says how the tasks of a queue are given out",
	 "What is not named stays as it is; `none` takes a limit away. Takes effect on all nodes "
	 "within\n"
	 "seconds. With --build only workers of that build are given tasks; with --ramp a share of "
	 "the\n"
	 "sagas goes to another build, and each saga stays with the build that it belongs to.\n"
	 "\n"
	 "Examples:\n"
	 "  skald queue set shipping --rate 50 --concurrent 20\n"
	 "  skald queue set shipping --build blue --ramp green:10\n"
	 "  skald queue set shipping --build green --ramp none\n"
	 "  skald queue set shipping --rate none --concurrent none --build none\n",
	 queue_options, true, true, false, cmd_queue_set},
	{"worker list", "[QUEUE]", 0, 1, "lists workers that ask for tasks, or have some",
	 "Who asks is known to the node that is asked; who has a task is known to all.\n"
	 "\n"
	 "Examples:\n"
	 "  skald worker list\n"
	 "  skald worker list shipping -o json | jq -r '.[].build'\n",
	 NULL, true, true, false, cmd_worker_list},
	{"dlq list", "", 0, 0, "lists dead letters, what was given up last first",
	 "Examples:\n"
	 "  skald dlq list --status waiting\n"
	 "  skald dlq list --trigger order/orders.placed --reason invalid_input --all -o jsonl\n",
	 dlq_list_options, true, true, false, cmd_dlq_list},
	{"dlq show", "ID", 1, 1, "shows a dead letter with its key, headers and value",
	 "Examples:\n"
	 "  skald dlq show 7f3c...\n"
	 "  skald dlq show 7f3c... -o json | jq -r .value.text > value.json\n",
	 NULL, true, true, false, cmd_dlq_show},
	{"dlq redrive", "[ID]", 0, 1, "sends dead letters again: one, perhaps edited, or many",
	 "The record is evaluated as if it came again from its topic, partition and offset, by the\n"
	 "current version of the definition. What still starts nothing stays, and says why. Without "
	 "an\n"
	 "ID, those that wait and match are sent again one after the other, the oldest first; exit\n"
	 "code 7 when some failed.\n"
	 "\n"
	 "Examples:\n"
	 "  skald dlq redrive 7f3c...\n"
	 "  skald dlq redrive 7f3c... --value @value.json\n"
	 "  skald dlq redrive --trigger order/orders.placed --reason invalid_input\n",
	 redrive_options, true, true, false, cmd_dlq_redrive},
	{"dlq discard", "ID", 1, 1, "says that nothing is to come of a dead letter",
	 "It stays until retention removes it, and is listed as discarded.\n"
	 "\n"
	 "Examples:\n"
	 "  skald dlq discard 7f3c...\n",
	 NULL, true, true, false, cmd_dlq_discard},
	{"node list", "", 0, 0, "lists the nodes and their slots",
	 "Each saga belongs to a slot, and each slot to one node at a time. A node that stops hands "
	 "its\n"
	 "slots over at once; those of one that died are taken when its lease has ended.\n"
	 "\n"
	 "Examples:\n"
	 "  skald node list\n"
	 "  skald node list -o json | jq '.nodes[] | select(.alive) | .slots'\n",
	 NULL, true, true, false, cmd_node_list},
	{"migrate status", "", 0, 0, "compares the schema of a database with that of this program",
	 "Says which schema the database has and which one this program brings. Exits with 0 when a\n"
	 "server of this version can start on the database, with 1 when it cannot (the schema is\n"
	 "older: `skald migrate up`; or newer, and closed to this version), and with 6 when the\n"
	 "database is out of reach. An empty database gets its schema from the first server or from\n"
	 "`skald migrate up`. The embedded store migrates itself when it is opened.\n"
	 "\n"
	 "Examples:\n"
	 "  skald migrate status --store postgresql://skald@db/skald\n"
	 "  skald migrate status --config skald.yaml -o json | jq -r .state\n",
	 schema_options, true, false, false, cmd_migrate_status},
	{"migrate plan", "", 0, 0, "prints the SQL that `skald migrate up` would run",
	 "Prints, to the letter, what would run, and changes nothing; prints nothing when there is\n"
	 "nothing to do. Each migration is a transaction, so it may be given to psql instead.\n"
	 "\n"
	 "Examples:\n"
	 "  skald migrate plan --store postgresql://skald@db/skald\n"
	 "  skald migrate plan | psql -v ON_ERROR_STOP=1 postgresql://owner@db/skald\n",
	 migrate_options, false, false, false, cmd_migrate_plan},
	{"migrate up", "", 0, 0, "brings the schema of a database up to date",
	 "Runs the migrations that are missing, each in a transaction. Several may run at once: one\n"
	 "does it, the others wait and find it done. Nodes of the version before may go on running.\n"
	 "\n"
	 "Examples:\n"
	 "  skald migrate up --store postgresql://skald@db/skald\n"
	 "  SKALD_STORE__PATH=postgresql://skald@db/skald skald migrate up --slots 512\n",
	 migrate_options, false, false, false, cmd_migrate_up},
	{"bench", "", 0, 0, "puts load on a server and measures it",
	 "Starts sagas of one definition, N at a time, each waited for to its end, and prints how "
	 "many\n"
	 "ended a second and how long they took. Each start has a key of its own. Mind where you "
	 "point\n"
	 "it: these are real sagas.\n"
	 "\n"
	 "Examples:\n"
	 "  skald bench --saga payment --input @payment.json --concurrency 64 --seconds 20\n",
	 bench_options, true, true, false, cmd_bench},
	{"completion", "bash|zsh|fish", 1, 4, "prints completions for a shell",
	 "The scripts complete commands, options and their values; names of definitions, ids of sagas "
	 "and\n"
	 "the like they ask of the server ($SKALD_SERVER), by `skald completion values WHAT`.\n"
	 "\n"
	 "Examples:\n"
	 "  source <(skald completion bash)\n"
	 "  skald completion zsh > ~/.zfunc/_skald\n"
	 "  skald completion fish > ~/.config/fish/completions/skald.fish\n",
	 NULL, false, true, false, cmd_completion, "bash zsh fish"},
	{"help", "[COMMAND...]", 0, 2, "shows help; `skald help exit-codes` lists the exit codes",
	 "Examples:\n"
	 "  skald help saga start\n"
	 "  skald help exit-codes\n",
	 NULL, false, false, false, cmd_help},
	{"version", "", 0, 0, "prints the version", "", NULL, false, false, false, cmd_version},
};
const size_t cli_n_commands = ARRAY_SIZE(cli_commands);
