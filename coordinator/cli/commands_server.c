/* The commands for the server itself, and for this program; the table of all is in commands.c. */
#include "coordinator/cli/command_tables.h"

#include "coordinator/cli/command_options.h"

static const struct cli_command commands[] = {
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

const struct cli_command_table cli_commands_server = {commands, ARRAY_SIZE(commands)};
