/*
 * `skald dev`: a node, definitions and the participants that they call, in one go, for trying
 * things out. It is `serve` with other defaults and with children; nothing here is needed in
 * production.
 */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/kafka_mock.h"
#include "connectors/store_postgres.h"
#include "coordinator/cli/children.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/server_run.h"
#include "coordinator/dashboard.h"
#include "sagas/base/buf.h"
#include "sagas/base/map.h"
#include "schemas/embedded.h"

enum { DEV_MAX_DEFS = 64 };

/* The example programs, and which participants live in each: below which path, or, of one that
 * works over Kafka, behind which topic. */
struct program {
	const char *example, *name;
	struct {
		const char *participant, *path, *topic;
	} serves[5];
};

static const struct program programs[] = {
	{"order-fulfilment",
	 "order_services",
	 {{"stock", "/stock"},
	  {"payments", "/payments"},
	  {"shipping", "/shipping"},
	  {"mail", "/mail"}}},
	{"payment", "bank", {{"bank", ""}}},
	{"loan-approval", "lender", {{"lender", ""}}},
	{"subscription", "biller", {{"billing", ""}}},
	{"order-events",
	 "order_handlers",
	 {{"warehouse", NULL, "warehouse.commands"}, {"credit", NULL, "credit.commands"}}},
};

struct dev {
	struct cli *cli;
	struct config config;
	const char *data;
	struct def_file defs[DEV_MAX_DEFS];
	int n_defs;
	bool builtin;            /* the definitions are the built-in examples */
	struct kafka_mock *mock; /* of --kafka; else NULL */
	struct children children;
	struct node *node;
};

/* ---- definitions ---- */

static int load_files(struct dev *dev)
{
	int r = 0;

	if (dev->cli->n_args > DEV_MAX_DEFS)
		return cli_fail(CLI_USAGE, "more than %d definitions", DEV_MAX_DEFS);
	for (int i = 0; i < dev->cli->n_args; i++) {
		struct def_file *file = &dev->defs[dev->n_defs++];
		struct err err = {0};

		if (def_file_read(file, dev->cli->args[i], &err) < 0)
			return cli_fail_err(&err);
		findings_print(file->path, &file->findings, stderr);
		if (!file->def)
			r = CLI_FAILED;
	}
	return r;
}

static const char *brokers_of(const struct dev *dev)
{
	const char *brokers = dev->config.kafka_brokers;

	return brokers && *brokers && strcmp(brokers, "none") != 0 ? brokers : NULL;
}

static bool action_uses_kafka(const struct action_def *act)
{
	for (size_t i = 0; i < act->await.n_waits; i++)
		if (act->await.waits[i].kind == WAIT_KAFKA)
			return true;
	return act->kind == ACTION_COMMAND || act->kind == ACTION_EMIT ||
		   act->kind == ACTION_AWAIT_KAFKA;
}

static bool uses_kafka(const struct saga_def *def)
{
	if (def->n_triggers > 0)
		return true;
	for (size_t i = 0; i < def->n_cancel_on; i++)
		if (!def->cancel_on[i].webhook)
			return true;
	for (int i = 0; i < def->n_steps; i++)
		if (action_uses_kafka(&def->steps[i].act) ||
			(def->steps[i].undo_kind == UNDO_ACTION && action_uses_kafka(&def->steps[i].undo)))
			return true;
	return false;
}

/* Without brokers those that need some are left out: nothing would come of them. */
static void load_examples(struct dev *dev)
{
	dev->builtin = true;
	for (size_t i = 0; i < embedded_file_count && dev->n_defs < DEV_MAX_DEFS; i++) {
		const struct embedded_file *embedded = &embedded_files[i];
		struct def_file *file = &dev->defs[dev->n_defs];

		if (strncmp(embedded->path, "examples/", 9) != 0)
			continue;
		dev->n_defs++;
		def_file_init(file, embedded->path);
		file->text = xstrndup(embedded->data, embedded->len);
		file->len = embedded->len;
		def_text_load(file->path, file->text, file->len, &file->doc, &file->def, &file->findings);
		findings_print(file->path, &file->findings, stderr);
		if (file->def && uses_kafka(file->def) && !brokers_of(dev)) {
			def_file_release(file);
			dev->n_defs--;
		}
	}
}

static bool action_calls(const struct action_def *act, const char *participant)
{
	if (act->kind == ACTION_HTTP && strcmp(act->http.to, participant) == 0)
		return true;
	if (act->kind == ACTION_COMMAND && strcmp(act->command.to, participant) == 0)
		return true;
	return act->probe && act->probe->act.kind == ACTION_HTTP &&
		   strcmp(act->probe->act.http.to, participant) == 0;
}

/* Whether any of the definitions calls the participant. */
static bool is_called(const struct dev *dev, const char *participant)
{
	for (int d = 0; d < dev->n_defs; d++) {
		const struct saga_def *def = dev->defs[d].def;

		for (int i = 0; def && i < def->n_steps; i++) {
			const struct step_def *step = &def->steps[i];

			if (action_calls(&step->act, participant) ||
				(step->undo_kind == UNDO_ACTION && action_calls(&step->undo, participant)))
				return true;
		}
	}
	return false;
}

static bool has_address(const struct config *config, const char *participant)
{
	for (size_t i = 0; i < config->n_participants; i++)
		if (strcmp(config->participants[i].name, participant) == 0)
			return config->participants[i].url || config->participants[i].topic;
	return false;
}

/* ---- participants ---- */

/* The folder of this program, without a slash at its end; the caller's. NULL: not known. */
static char *own_folder(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (len < 0)
		return NULL;
	path[len] = '\0';
	slash = strrchr(path, '/');
	return slash ? xstrndup(path, (size_t)(slash - path)) : NULL;
}

/* Where the program of a participant lies; the caller's. NULL: nowhere. */
static char *find_program(const struct program *program)
{
	CLEANUP(free_p) char *folder = own_folder();
	char *path;

	if (!folder)
		return NULL;
	path = xasprintf("%s/examples/%s/participants/%s", folder, program->example, program->name);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	path = xasprintf("%s/../libexec/skald/%s", folder, program->name);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static bool is_wanted(const struct dev *dev, const struct program *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(program->serves) && program->serves[i].participant; i++) {
		const char *name = program->serves[i].participant;

		if (is_called(dev, name) && !has_address(&dev->config, name))
			return true;
	}
	return false;
}

/* Where its participants are found, unless the configuration says so. */
static void set_addresses(struct dev *dev, const struct program *program, const char *url)
{
	for (size_t i = 0; i < ARRAY_SIZE(program->serves) && program->serves[i].participant; i++) {
		const char *name = program->serves[i].participant, *topic = program->serves[i].topic;
		CLEANUP(free_p)
		char *text = topic ? xasprintf("%s=kafka:%s", name, topic)
						   : xasprintf("%s%s", url, program->serves[i].path);
		struct findings findings = {0};

		if (has_address(&dev->config, name))
			continue;
		if (topic)
			config_set_participant_flag(&dev->config, text, &findings);
		else
			config_set_participant(&dev->config, name, text, CONFIG_FROM_DEFAULT);
		findings_release(&findings);
	}
}

static int start_program(struct dev *dev, const struct program *program)
{
	CLEANUP(free_p) char *path = find_program(program);
	CLEANUP(free_p) char *folder = xasprintf("%s/%s", dev->data, program->name);
	struct err err = {0};

	if (!path) {
		cli_note("skald: the example participant %s is not installed", program->name);
		return 0;
	}
	if (mkdir(dev->data, 0700) < 0 && errno != EEXIST)
		return cli_fail(CLI_FAILED, "cannot make the folder %s: %s", dev->data, strerror(errno));
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return cli_fail(CLI_FAILED, "cannot make the folder %s: %s", folder, strerror(errno));
	if (children_start(&dev->children, program->name, path, folder,
					   program->serves[0].topic ? brokers_of(dev) : NULL, &err) < 0)
		return cli_fail_err(&err);
	set_addresses(dev, program, dev->children.list[dev->children.n - 1].url);
	return 0;
}

static int start_participants(struct dev *dev)
{
	int r = 0;

	if (cli_option(dev->cli, "no-participants"))
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++)
		if (is_wanted(dev, &programs[i]) && (!programs[i].serves[0].topic || brokers_of(dev)))
			r = start_program(dev, &programs[i]);
	return r;
}

/* Once for each participant of a definition; `told` keeps those that were told of. */
static void warn_address(const struct dev *dev, const struct action_def *act, const char *def,
						 struct map *told)
{
	if (act->kind != ACTION_HTTP || has_address(&dev->config, act->http.to) ||
		map_put(told, act->http.to, told))
		return;
	cli_note("skald: warning: %s calls `%s`, which has no address; give it with "
			 "--participant %s=URL",
			 def, act->http.to, act->http.to);
}

static void warn_addresses(const struct dev *dev)
{
	for (int d = 0; d < dev->n_defs; d++) {
		const struct saga_def *def = dev->defs[d].def;
		struct map told = {0};

		for (int i = 0; def && i < def->n_steps; i++) {
			const struct step_def *step = &def->steps[i];

			warn_address(dev, &step->act, def->name, &told);
			if (step->undo_kind == UNDO_ACTION)
				warn_address(dev, &step->undo, def->name, &told);
		}
		map_release(&told);
	}
}

/* ---- deployment ---- */

static void deployed(struct deployment *deployment)
{
	sem_post(deployment->ctx);
}

static int deploy(struct dev *dev, const struct def_file *file)
{
	struct deployment deployment = {.done = deployed};
	sem_t sem;
	int r = 0;

	sem_init(&sem, 0, 0);
	deployment.ctx = &sem;
	registry_deploy(dev->node->registry, "default", file->text, file->len, NULL, false,
					&deployment);
	while (sem_wait(&sem) < 0)
		;
	sem_destroy(&sem);
	if (deployment.result < 0)
		r = cli_fail(CLI_FAILED, "%s: %s", file->path, deployment.err.text);
	else
		printf("  %s  version %lld%s\n", deployment.name, (long long)deployment.version,
			   deployment.existed ? "" : ", new");
	deployment_release(&deployment);
	return r;
}

/* ---- the rest ---- */

/* How to write a record, with the tool that lies beside the example participants. */
static void print_order_event(const struct dev *dev)
{
	static const struct program tool = {"order-events", "kafka_record", {{0}}};
	CLEANUP(free_p) char *path = find_program(&tool);
	CLEANUP(free_p) char *quoted = path ? shell_text(path) : NULL;

	if (!quoted || !brokers_of(dev))
		return;
	printf("or an order that comes as a record of Kafka, and one that nobody pays for:\n");
	for (int i = 3; i <= 4; i++)
		printf(
			"  echo '{\"order_id\": \"o-%d\", \"customer_id\": \"c-%s\", \"sku\": \"TEA\", "
			"\"quantity\": 2, \"amount_minor\": 1999}' | %s --brokers %s send orders.placed o-%d\n",
			i, i == 3 ? "1" : "0002", quoted, brokers_of(dev), i);
}

static void print_next(const struct dev *dev)
{
	CLEANUP(free_p)
	char *server = dev->node->port == 7878
					   ? xstrdup("")
					   : xasprintf(" --server http://127.0.0.1:%d", dev->node->port);
	CLEANUP(free_p) char *program = shell_text(dev->cli->program);

	puts("\nNow, in another terminal:");
	if (dev->builtin) {
		const char *order = "\"customer_id\": \"c-1\", \"lines\": [{\"sku\": \"TEA\", "
							"\"quantity\": 2}], \"amount_minor\": 1999";

		printf("  %s%s saga start order-fulfilment --wait '{\"order_id\": \"o-1\", %s, "
			   "\"card\": \"4242\", \"ship_to\": \"Oslo\"}'\n",
			   program, server, order);
		printf("and one whose card is declined, so that it undoes itself:\n"
			   "  %s%s saga start order-fulfilment --wait '{\"order_id\": \"o-2\", %s, "
			   "\"card\": \"0002\", \"ship_to\": \"Oslo\"}'\n",
			   program, server, order);
		print_order_event(dev);
		puts("and look at them:");
	}
	printf("  %s%s saga list\n  %s%s saga show ID\n  %s%s saga history ID\n", program, server,
		   program, server, program, server);
	if (dashboard_file_count > 0)
		printf("or in a browser: http://127.0.0.1:%d/ui/\n", dev->node->port);
	puts("\nCtrl-C stops it; what it knows is kept.");
	fflush(stdout);
}

static void child_ended(void *ctx, int pid, int status UNUSED)
{
	struct dev *dev = ctx;
	const char *name = children_forget(&dev->children, pid);

	if (name)
		cli_note("skald: warning: the participant %s has ended", name);
}

static int configure(struct dev *dev)
{
	const char *data = cli_option(dev->cli, "data");
	int r = server_config(dev->cli, &dev->config);

	if (r)
		return r;
	dev->data = data ? data : "skald-data";
	/* What a newcomer has to read is enough already. */
	if (dev->config.source[CONFIG_log_level] == CONFIG_FROM_DEFAULT) {
		free(dev->config.log_level);
		dev->config.log_level = xstrdup("warn");
	}
	if (dev->config.source[CONFIG_store_path] == CONFIG_FROM_DEFAULT) {
		free(dev->config.store_path);
		dev->config.store_path = xasprintf("%s/skald.db", dev->data);
	}
	return 0;
}

/* Brokers of our own, in this process. */
static int start_brokers(struct dev *dev)
{
	struct err err = {0};

	if (!cli_option(dev->cli, "kafka"))
		return 0;
	if (brokers_of(dev))
		return cli_fail(CLI_USAGE, "--kafka brings brokers, and kafka.brokers names others (%s)",
						brokers_of(dev));
	if (kafka_mock_start(1, &dev->mock, &err) < 0)
		return cli_fail_err(&err);
	free(dev->config.kafka_brokers);
	dev->config.kafka_brokers = xstrdup(kafka_mock_brokers(dev->mock));
	return 0;
}

static void print_participants(const struct dev *dev)
{
	puts("participants:");
	for (size_t i = 0; i < dev->config.n_participants; i++) {
		const struct config_participant *participant = &dev->config.participants[i];

		if (participant->url)
			printf("  %s  %s\n", participant->name, participant->url);
		if (participant->topic)
			printf("  %s  topic %s\n", participant->name, participant->topic);
	}
}

static int run(struct dev *dev)
{
	CLEANUP(free_p) char *store = NULL;
	char cwd[PATH_MAX] = "";
	int r = 0;

	server_block_signals();
	r = start_brokers(dev);
	if (!r && dev->cli->n_args > 0)
		r = load_files(dev);
	else if (!r)
		load_examples(dev);
	if (!r)
		r = start_participants(dev);
	if (!r)
		r = server_start_node(&dev->config, &dev->node);
	if (r)
		return r;
	if (*dev->config.store_path == '/' || store_postgres_is_url(dev->config.store_path) ||
		!getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	store = config_masked_url(dev->config.store_path);
	printf("Skald " SKALD_VERSION " listens on http://%s:%d\ndata: %s%s%s\n",
		   dev->config.server_listen, dev->node->port, cwd, *cwd ? "/" : "", store);
	if (brokers_of(dev))
		printf("kafka: %s\n", brokers_of(dev));
	print_participants(dev);
	puts("definitions:");
	for (int i = 0; i < dev->n_defs && !r; i++)
		if (dev->defs[i].def)
			r = deploy(dev, &dev->defs[i]);
	warn_addresses(dev);
	if (!r) {
		print_next(dev);
		server_wait(child_ended, dev);
	}
	server_stop_node(dev->node);
	return r;
}

int cmd_dev(struct cli *cli)
{
	struct dev dev = {.cli = cli};
	int r = configure(&dev);

	if (r)
		return r;
	r = run(&dev);
	children_stop(&dev.children);
	kafka_mock_stop(dev.mock);
	for (int i = 0; i < dev.n_defs; i++)
		def_file_release(&dev.defs[i]);
	config_release(&dev.config);
	return r;
}
