/* The configuration: its sources, their order, and what is said of what is wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/config.h"

static struct config config;
static struct findings findings;

static void setup(void)
{
	config_init(&config);
	findings = (struct findings){0};
}

static void teardown(void)
{
	config_release(&config);
	findings_release(&findings);
}

static void read_text(const char *text)
{
	config_read_text(&config, text, strlen(text), &findings);
}

static void expect_finding(size_t i, int line, const char *part)
{
	ck_assert_uint_lt(i, findings.n);
	ck_assert_int_eq(findings.list[i].line, line);
	ck_assert_msg(strstr(findings.list[i].text, part) != NULL, "`%s` does not say `%s`",
				  findings.list[i].text, part);
}

START_TEST(test_config__has_defaults)
{
	ck_assert_str_eq(config.server_listen, "127.0.0.1");
	ck_assert_int_eq(config.server_port, 7878);
	ck_assert_int_eq(config.server_payload_max, 2 * 1024 * 1024);
	ck_assert_int_eq(config.server_drain, 10000);
	ck_assert_int_eq(config.store_retention, INT64_C(30) * 24 * 3600 * 1000);
	ck_assert_uint_eq(config.n_participants, 0);
}
END_TEST

START_TEST(test_config__reads_a_file)
{
	read_text("server:\n  port: 8000\n  drain: 1m\n"
			  "store: {path: /var/lib/skald.db, retention: 0s}\n"
			  "participants:\n"
			  "  stock:\n    url: http://stock:8080/api\n    max_connections: 8\n"
			  "    headers: {Authorization: Bearer abc, X-Tenant: 7}\n");
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_int_eq(config.server_port, 8000);
	ck_assert_int_eq(config.server_drain, 60000);
	ck_assert_int_eq(config.store_retention, 0);
	ck_assert_str_eq(config.store_path, "/var/lib/skald.db");
	ck_assert_int_eq(config.source[CONFIG_server_port], CONFIG_FROM_FILE);
	ck_assert_int_eq(config.source[CONFIG_server_listen], CONFIG_FROM_DEFAULT);
	ck_assert_uint_eq(config.n_participants, 1);
	ck_assert_str_eq(config.participants[0].name, "stock");
	ck_assert_str_eq(config.participants[0].url, "http://stock:8080/api");
	ck_assert_int_eq(config.participants[0].max_connections, 8);
	ck_assert_int_eq(config.participants[0].n_headers, 2);
	ck_assert_str_eq(config.participants[0].headers[0], "Authorization: Bearer abc");
	ck_assert_str_eq(config.participants[0].headers[1], "X-Tenant: 7");
}
END_TEST

START_TEST(test_config__takes_an_empty_file)
{
	read_text("");
	read_text("\n  \n");
	read_text("server:\n");
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_int_eq(config.server_port, 7878);
}
END_TEST

START_TEST(test_config__reports_everything_that_is_wrong_with_its_line)
{
	read_text("server:\n  prot: 8000\n  port: many\n  drain: -1s\n"
			  "sever: {}\n"
			  "store: []\n"
			  "engine:\n  intake_limit: 0\n"
			  "participants:\n  stock:\n    ulr: http://x\n    url: ftp://x\n");
	expect_finding(0, 2, "did you mean `port`?");
	expect_finding(1, 3, "server.port is a number, not `many`");
	expect_finding(2, 4, "server.drain is a duration");
	expect_finding(3, 5, "did you mean `server`?");
	expect_finding(4, 6, "a section is keys with values");
	expect_finding(5, 8, "engine.intake_limit lies between 1 and 1000000");
	expect_finding(6, 11, "did you mean `url`?");
	expect_finding(7, 12, "must begin with http:// or https://");
	expect_finding(8, 10, "needs a url");
	ck_assert_uint_eq(findings.n, 9);
	/* What is wrong changes nothing. */
	ck_assert_int_eq(config.server_port, 7878);
}
END_TEST

START_TEST(test_config__environment_wins_over_the_file_and_flags_over_both)
{
	char *environment[] = {(char *)"SKALD_SERVER__PORT=8001", (char *)"SKALD_STORE__PATH=/e",
						   (char *)"SKALD_SERVER=http://elsewhere", (char *)"OTHER__PORT=1", NULL};

	read_text("server: {port: 8000, drain: 5s}\nstore: {path: /f}\n");
	config_read_environment(&config, environment, &findings);
	config_set_flag(&config, "store", "/g", &findings);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_int_eq(config.server_port, 8001);
	ck_assert_int_eq(config.server_drain, 5000);
	ck_assert_str_eq(config.store_path, "/g");
	ck_assert_int_eq(config.source[CONFIG_server_port], CONFIG_FROM_ENV);
	ck_assert_int_eq(config.source[CONFIG_store_path], CONFIG_FROM_FLAG);
}
END_TEST

START_TEST(test_config__environment_reaches_participants)
{
	char *environment[] = {(char *)"SKALD_PARTICIPANTS__CARD_DESK__URL=http://env",
						   (char *)"SKALD_PARTICIPANTS__CARD_DESK__HEADERS__X_API_KEY=secret",
						   (char *)"SKALD_PARTICIPANTS__STOCK__URL=https://stock",
						   (char *)"SKALD_PARTICIPANTS__STOCK__MAX_CONNECTIONS=3", NULL};

	read_text("participants: {card-desk: {url: \"http://file\"}}\n");
	config_read_environment(&config, environment, &findings);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_uint_eq(config.n_participants, 2);
	ck_assert_str_eq(config.participants[0].name, "card-desk");
	ck_assert_str_eq(config.participants[0].url, "http://env");
	ck_assert_str_eq(config.participants[0].headers[0], "x-api-key: secret");
	ck_assert_str_eq(config.participants[1].name, "stock");
	ck_assert_int_eq(config.participants[1].max_connections, 3);
}
END_TEST

START_TEST(test_config__unknown_variable_gets_a_suggestion)
{
	char *environment[] = {(char *)"SKALD_SERVER__PROT=8001", NULL};

	config_read_environment(&config, environment, &findings);
	ck_assert_uint_eq(findings.n, 1);
	expect_finding(0, 0, "did you mean server.port?");
	ck_assert_str_eq(findings.list[0].pointer, "SKALD_SERVER__PROT");
}
END_TEST

START_TEST(test_config__participant_flag_is_name_and_url)
{
	config_set_participant_flag(&config, "stock=http://a", &findings);
	ck_assert_uint_eq(findings.n, 0);
	config_set_participant_flag(&config, "stock", &findings);
	expect_finding(0, 0, "is NAME=URL");
	/* What dev adds by itself does not win over what was said. */
	config_set_participant(&config, "stock", "http://b", CONFIG_FROM_DEFAULT);
	ck_assert_str_eq(config.participants[0].url, "http://a");
}
END_TEST

START_TEST(test_config__takes_sizes_and_refuses_nonsense)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: refused */
	} cases[] = {{"1024", 1024}, {"64KiB", 65536}, {"3 MiB", 3 << 20}, {"2MB", -1},
				 {"MiB", -1},    {"-1", -1},       {"1023", -1},       {"999999999999GiB", -1},
				 {"0x1000", -1}, {"", -1}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t before = findings.n;

		config_set_flag(&config, "payload-max", cases[i].text, &findings);
		ck_assert_uint_eq(findings.n - before, cases[i].bytes < 0);
		if (cases[i].bytes >= 0)
			ck_assert_int_eq(config.server_payload_max, cases[i].bytes);
	}
}
END_TEST

START_TEST(test_config__print_masks_secrets)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	read_text("participants:\n  bank:\n    url: https://user:hunter2@bank/api\n"
			  "    headers: {Authorization: Bearer hunter2}\n"
			  "store: {path: \"postgresql://skald:hunter2@db/skald?sslmode=require\"}\n"
			  "idempotency: {redis_url: \"redis://:hunter2@cache:6379/1\"}\n");
	config_print(&config, out);
	fclose(out);
	ck_assert_ptr_null(strstr(text, "hunter2"));
	ck_assert_ptr_nonnull(strstr(text, "https://***@bank/api"));
	ck_assert_ptr_nonnull(strstr(text, "postgresql://***@db/skald?sslmode=require"));
	ck_assert_ptr_nonnull(strstr(text, "redis://***@cache:6379/1"));
	ck_assert_ptr_nonnull(strstr(text, "Authorization: \"***\""));
	ck_assert_ptr_nonnull(strstr(text, "port: 7878  # default"));
}
END_TEST

START_TEST(test_config__what_is_printed_can_be_read)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	read_text(
		"server: {port: 8000}\nstore: {path: \"a # b\"}\nparticipants: {x: {url: http://x}}\n");
	config_print(&config, out);
	fclose(out);
	config_release(&config);
	config_init(&config);
	read_text(text);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_int_eq(config.server_port, 8000);
	ck_assert_str_eq(config.store_path, "a # b");
	ck_assert_str_eq(config.participants[0].url, "http://x");
}
END_TEST

START_TEST(test_config__gives_a_node_what_it_takes)
{
	struct node_options options;

	read_text("server: {port: 0}\nparticipants: {x: {url: http://x, max_connections: 2}}\n");
	config_node_options(&config, &options);
	ck_assert_int_eq(options.listen_port, 0);
	ck_assert_str_eq(options.store_path, "skald-data/skald.db");
	ck_assert_uint_eq(options.n_participants, 1);
	ck_assert_str_eq(options.participants[0].url, "http://x");
	ck_assert_int_eq(options.participants[0].max_connections, 2);
	ck_assert_uint_eq(options.payload_max, 2 * 1024 * 1024);
}
END_TEST

START_TEST(test_config__kafka_has_clusters_properties_and_participants)
{
	static char *environment[] = {"SKALD_KAFKA__PROPERTIES__SASL_PASSWORD=from-the-environment",
								  "SKALD_KAFKA__CLUSTERS__AUDIT__PROPERTIES__COMPRESSION_TYPE=lz4",
								  "SKALD_PARTICIPANTS__LEDGER__TOPIC=ledger.commands", NULL};
	struct node_options options;

	read_text("kafka:\n  brokers: a:9092,b:9092\n  in_flight: 10\n"
			  "  properties: {sasl.username: me, sasl.password: from the file}\n"
			  "  clusters: {audit: {brokers: \"c:9092\"}}\n"
			  "participants:\n"
			  "  credit: {topic: credit.commands, profile: spring, cluster: audit}\n");
	config_read_environment(&config, environment, &findings);
	config_set_participant_flag(&config, "mail=kafka:mail.commands", &findings);
	config_check(&config, &findings);
	ck_assert_uint_eq(findings.n, 0);
	config_node_options(&config, &options);
	ck_assert_uint_eq(options.kafka.n_clusters, 2);
	ck_assert_str_eq(options.kafka.clusters[0].name, "default");
	ck_assert_str_eq(options.kafka.clusters[0].brokers, "a:9092,b:9092");
	ck_assert_uint_eq(options.kafka.clusters[0].n_properties, 2);
	ck_assert_str_eq(options.kafka.clusters[0].properties[1].name, "sasl.password");
	ck_assert_str_eq(options.kafka.clusters[0].properties[1].value, "from-the-environment");
	ck_assert_str_eq(options.kafka.clusters[1].name, "audit");
	ck_assert_str_eq(options.kafka.clusters[1].properties[0].value, "lz4");
	ck_assert_uint_eq(options.kafka.n_participants, 3);
	ck_assert_str_eq(options.kafka.participants[0].cluster, "audit");
	ck_assert_int_eq(options.kafka.participants[0].profile, PROFILE_SPRING);
	ck_assert_str_eq(options.kafka.participants[1].topic, "ledger.commands");
	ck_assert_str_eq(options.kafka.participants[2].topic, "mail.commands");
	ck_assert_int_eq(options.kafka.in_flight, 10);
	ck_assert_ptr_null(options.kafka.events_topic);
	ck_assert_uint_eq(options.n_participants, 0);
}
END_TEST

START_TEST(test_config__says_what_is_wrong_with_kafka)
{
	read_text("kafka:\n  brokers: a:9092\n"
			  "  properties: {enable.idempotence: false, sasl.usernam: me}\n"
			  "  clusters: {audit: {properties: {compression.type: lz4}}}\n"
			  "  broker: b:9092\n"
			  "participants:\n"
			  "  credit: {topic: credit.commands, profile: sprung}\n"
			  "  mail: {max_connections: 3}\n"
			  "  ledger: {topic: ledger.commands, cluster: other}\n");
	config_check(&config, &findings);
	ck_assert_uint_eq(findings.n, 7);
	expect_finding(0, 3, "enable.idempotence");
	expect_finding(1, 3, "sasl.username");
	expect_finding(2, 4, "a cluster needs brokers");
	expect_finding(3, 5, "did you mean `brokers`");
	expect_finding(4, 7, "native, spring and eventuate");
	expect_finding(5, 8, "a participant needs a url, or a topic");
	expect_finding(6, 0, "no Kafka cluster `other`");
}
END_TEST

START_TEST(test_config__refuses_what_are_no_brokers_or_topics)
{
	static const struct {
		const char *flag, *value;
		bool good;
	} cases[] = {
		{"kafka-brokers", "a:9092,b.example:9093", true},
		{"kafka-brokers", "[::1]:9092", true},
		{"kafka-brokers", "SASL_SSL://a:9092", true},
		{"kafka-brokers", "a", true},
		{"kafka-brokers", "a:99999", false},
		{"kafka-brokers", ",,", false},
		{"kafka-brokers", "not a host", false},
		{"kafka-brokers", "[::1", false},
		{"kafka-brokers", "a:9092,", false},
		{"kafka-reply-topic", "bad topic", false},
		{"kafka-events-topic", "a/b", false},
		{"kafka-events-topic", "sagas.events", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		config_set_flag(&config, cases[i].flag, cases[i].value, &findings);
		config_check(&config, &findings);
		ck_assert_msg((findings.n == 0) == cases[i].good, "--%s %s", cases[i].flag, cases[i].value);
		teardown();
		setup();
	}
	config_set_participant_flag(&config, "credit=kafka:bad topic", &findings);
	ck_assert_uint_eq(findings.n, 1);
}
END_TEST

START_TEST(test_config__prints_kafka_without_secrets)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	read_text("kafka:\n  brokers: a:9092\n  properties: {sasl.password: hunter2}\n"
			  "  clusters: {audit: {brokers: \"c:9092\", properties: {linger.ms: 5}}}\n"
			  "participants: {credit: {topic: t, profile: eventuate, cluster: audit}}\n");
	config_print(&config, out);
	fclose(out);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_ptr_null(strstr(text, "hunter2"));
	config_release(&config);
	config_init(&config);
	read_text(text);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_str_eq(config.kafka_brokers, "a:9092");
	ck_assert_str_eq(config.clusters[1].brokers, "c:9092");
	ck_assert_str_eq(config.clusters[1].properties[0].value, "5");
	ck_assert_int_eq(config.participants[0].profile, PROFILE_EVENTUATE);
}
END_TEST

static const char waiting[] =
	"env: {REGION: eu, shop: 7}\n"
	"secrets:\n"
	"  token: {env: TEST_CONFIG_TOKEN}\n"
	"webhooks:\n"
	"  card-desk: {secret_env: TEST_CONFIG_HOOK, header: Svix-Signature}\n"
	"  hub: {scheme: github, secret_env: TEST_CONFIG_HOOK, tolerance: 1m}\n";

START_TEST(test_config__gives_what_definitions_read)
{
	struct node_options options;

	setenv("TEST_CONFIG_TOKEN", "hunter22", 1);
	setenv("TEST_CONFIG_HOOK", "whsec_aHVudGVyMw==", 1);
	read_text(waiting);
	config_read_environment(&config,
							(char *[]){(char *)"SKALD_ENV__REGION=us", (char *)"SKALD_ENV__NEW=x",
									   (char *)"SKALD_WEBHOOKS__CARD_DESK__TOLERANCE=2m", NULL},
							&findings);
	config_read_secrets(&config, &findings);
	config_check(&config, &findings);
	ck_assert_uint_eq(findings.n, 0);
	config_node_options(&config, &options);
	ck_assert_str_eq(json_string_value(json_object_get(options.env, "REGION")), "us");
	ck_assert_str_eq(json_string_value(json_object_get(options.env, "shop")), "7");
	ck_assert_str_eq(json_string_value(json_object_get(options.env, "new")), "x");
	ck_assert_uint_eq(options.n_secrets, 1);
	ck_assert_str_eq(options.secrets[0].name, "token");
	ck_assert_str_eq(options.secrets[0].value, "hunter22");
	ck_assert_uint_eq(options.n_webhooks, 2);
	ck_assert_str_eq(options.webhooks[0].source, "card-desk");
	ck_assert_str_eq(options.webhooks[0].header, "svix-signature");
	ck_assert_int_eq(options.webhooks[0].tolerance_ms, 120000);
	ck_assert_int_eq(options.webhooks[1].scheme, WEBHOOK_GITHUB);
	ck_assert_str_eq(options.webhooks[1].secret, "whsec_aHVudGVyMw==");
}
END_TEST

START_TEST(test_config__reads_secrets_of_files)
{
	char path[] = "/tmp/skald config.XXXXXX", text[200];
	int fd = mkstemp(path);
	struct node_options options;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "hunter2 \r\n", 10), 10);
	close(fd);
	snprintf(text, sizeof(text), "secrets: {a: {file: \"%s\"}}\n", path);
	read_text(text);
	config_read_secrets(&config, &findings);
	ck_assert_uint_eq(findings.n, 0);
	config_node_options(&config, &options);
	ck_assert_str_eq(options.secrets[0].value, "hunter2 ");
	unlink(path);
	config_read_secrets(&config, &findings);
	expect_finding(0, 0, "No such file");
	ck_assert_str_eq(findings.list[0].pointer, "/secrets/a");
}
END_TEST

START_TEST(test_config__prints_no_secret_that_definitions_read)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	setenv("TEST_CONFIG_TOKEN", "hunter22", 1);
	setenv("TEST_CONFIG_HOOK", "whsec_aHVudGVyMw==", 1);
	read_text(waiting);
	config_read_secrets(&config, &findings);
	config_print(&config, out);
	fclose(out);
	ck_assert_ptr_null(strstr(text, "hunter2"));
	ck_assert_ptr_null(strstr(text, "whsec"));
	ck_assert_ptr_nonnull(strstr(text, "    env: \"TEST_CONFIG_TOKEN\""));
	config_release(&config);
	config_init(&config);
	read_text(text);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert_uint_eq(config.n_webhooks, 2);
	ck_assert_str_eq(config.webhooks[0].header, "svix-signature");
	ck_assert_int_eq(config.webhooks[1].tolerance, 60000);
}
END_TEST

static const struct {
	const char *text, *says;
} wrong[] = {
	{"env: {a-b: x}\n", "letters, digits and _"},
	{"env: {a: {b: c}}\n", "is one value"},
	{"secrets: {a: hunter2}\n", "is keys with values"},
	{"secrets: {a: {value: hunter2}}\n", "has no key `value`"},
	{"secrets: {a: {}}\n", NULL},
	{"secrets: {a: {env: TEST_CONFIG_NONE}}\n", "there is no variable TEST_CONFIG_NONE"},
	{"secrets: {a: {env: TEST_CONFIG_LINES}}\n", "one line"},
	{"secrets: {a: {env: TEST_CONFIG_SHORT}}\n", "at least 8 bytes"},
	{"webhooks: {a: {scheme: stripe}}\n", "standard or github"},
	{"webhooks: {a: {scheme: github}}\n", "needs secret_file or secret_env"},
	{"webhooks: {a: {secret: hunter2}}\n", "no key `secret`"},
	{"webhooks: {a: {secret_env: TEST_CONFIG_BROKEN}}\n", "behind whsec_"},
	{"webhooks: {a: {tolerance: 2d, secret_env: TEST_CONFIG_TOKEN}}\n", "at most a day"},
	{"server: {public_url: skald.example.com}\n", "as https://skald.example.com"},
	{"server: {public_url: \"https://x/?a=b\"}\n", "without user and query"},
	{"webhook: {a: {}}\n", "did you mean `webhooks`"},
};

START_TEST(test_config__says_what_is_wrong_with_what_definitions_read)
{
	setenv("TEST_CONFIG_TOKEN", "hunter22", 1);
	setenv("TEST_CONFIG_LINES", "a\nb", 1);
	setenv("TEST_CONFIG_SHORT", "hunter2", 1);
	setenv("TEST_CONFIG_BROKEN", "whsec_%%", 1);
	read_text(wrong[_i].text);
	config_read_secrets(&config, &findings);
	config_check(&config, &findings);
	if (!wrong[_i].says) { /* nothing is said of it, and nothing is there */
		ck_assert_uint_eq(findings.n, 0);
		ck_assert_uint_eq(config.n_secrets, 0);
		return;
	}
	ck_assert_msg(findings.n > 0, "%s", wrong[_i].text);
	ck_assert_msg(strstr(findings.list[0].text, wrong[_i].says) != NULL, "%s: %s", wrong[_i].text,
				  findings.list[0].text);
	ck_assert_ptr_null(strstr(findings.list[0].text, "hunter2"));
}
END_TEST

/* Run at the root of the project, as all tests are. */
START_TEST(test_config__each_setting_is_documented)
{
	static char text[65536];
	FILE *file = fopen("docs/configuration.md", "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *s = &config_settings[i];
		CLEANUP(free_p)
		char *row = xasprintf("| `%s.%s` | `--%s` | `%s` | %s |", s->section, s->key, s->flag,
							  s->fallback, s->help);

		ck_assert_msg(strstr(text, row) != NULL, "docs/configuration.md lacks this row: %s", row);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_config__has_defaults);
	tcase_add_test(tc, test_config__reads_a_file);
	tcase_add_test(tc, test_config__takes_an_empty_file);
	tcase_add_test(tc, test_config__reports_everything_that_is_wrong_with_its_line);
	tcase_add_test(tc, test_config__environment_wins_over_the_file_and_flags_over_both);
	tcase_add_test(tc, test_config__environment_reaches_participants);
	tcase_add_test(tc, test_config__unknown_variable_gets_a_suggestion);
	tcase_add_test(tc, test_config__participant_flag_is_name_and_url);
	tcase_add_test(tc, test_config__takes_sizes_and_refuses_nonsense);
	tcase_add_test(tc, test_config__print_masks_secrets);
	tcase_add_test(tc, test_config__what_is_printed_can_be_read);
	tcase_add_test(tc, test_config__gives_a_node_what_it_takes);
	tcase_add_test(tc, test_config__kafka_has_clusters_properties_and_participants);
	tcase_add_test(tc, test_config__says_what_is_wrong_with_kafka);
	tcase_add_test(tc, test_config__refuses_what_are_no_brokers_or_topics);
	tcase_add_test(tc, test_config__prints_kafka_without_secrets);
	tcase_add_test(tc, test_config__gives_what_definitions_read);
	tcase_add_test(tc, test_config__reads_secrets_of_files);
	tcase_add_test(tc, test_config__prints_no_secret_that_definitions_read);
	tcase_add_loop_test(tc, test_config__says_what_is_wrong_with_what_definitions_read, 0,
						(int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, test_config__each_setting_is_documented);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
