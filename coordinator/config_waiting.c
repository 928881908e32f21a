/* What definitions read of a server, and who may tell it something: env, secrets, webhooks. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/config_priv.h"
#include "coordinator/secrets.h"
#include "sagas/base/buf.h"
#include "sagas/base/time.h"
#include "sagas/json_text.h"

enum {
	SECRET_MAX_BYTES = 16 * 1024,
	TOLERANCE_DEFAULT_MS = 300000,
	TOLERANCE_MAX_MS = 86400000,
	NAME_MAX_BYTES = 128,
};

bool config__waiting_section(const char *section)
{
	return strcmp(section, "env") == 0 || strcmp(section, "secrets") == 0 ||
		   strcmp(section, "webhooks") == 0;
}

static void complain(const struct config_origin *origin, struct findings *findings, const char *fmt,
					 ...) PRINTF_LIKE(3, 4);

static void complain(const struct config_origin *origin, struct findings *findings, const char *fmt,
					 ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	findings_add(findings, FINDING_ERROR, origin->line, origin->pointer, "%s", text);
}

/* What an expression can name. */
static bool is_name(const char *name, bool dash)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES || !(isalpha((unsigned char)*name) || *name == '_'))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && !(dash && *c == '-'))
			return false;
	return true;
}

static void set_env(struct config *config, const char *name, const char *text,
					const struct config_origin *origin, struct findings *findings)
{
	struct config_value *value = NULL;

	for (size_t i = 0; i < config->n_env; i++)
		if (strcmp(config->env[i].name, name) == 0)
			value = &config->env[i];
	if (!value && config->n_env == CONFIG_MAX_ENV) {
		complain(origin, findings, "%s: there are too many values in `env`", name);
		return;
	}
	if (!value) {
		config->env = xrealloc_array(config->env, config->n_env + 1, sizeof(*config->env));
		value = &config->env[config->n_env++];
		*value = (struct config_value){.name = xstrdup(name)};
	}
	free(value->text);
	value->text = xstrdup(text);
	value->source = origin->source;
}

/* Finds or adds it; NULL: there are too many. */
static struct config_secret *secret_add(struct config *config, const char *name)
{
	struct config_secret *secret;

	for (size_t i = 0; i < config->n_secrets; i++)
		if (strcmp(config->secrets[i].name, name) == 0)
			return &config->secrets[i];
	if (config->n_secrets == CONFIG_MAX_SECRETS)
		return NULL;
	config->secrets =
		xrealloc_array(config->secrets, config->n_secrets + 1, sizeof(*config->secrets));
	secret = &config->secrets[config->n_secrets++];
	*secret = (struct config_secret){.name = xstrdup(name)};
	return secret;
}

static struct config_webhook *webhook_add(struct config *config, const char *source)
{
	struct config_webhook *webhook;

	for (size_t i = 0; i < config->n_webhooks; i++)
		if (strcmp(config->webhooks[i].secret.name, source) == 0)
			return &config->webhooks[i];
	if (config->n_webhooks == CONFIG_MAX_WEBHOOKS)
		return NULL;
	config->webhooks =
		xrealloc_array(config->webhooks, config->n_webhooks + 1, sizeof(*config->webhooks));
	webhook = &config->webhooks[config->n_webhooks++];
	*webhook =
		(struct config_webhook){.secret.name = xstrdup(source), .tolerance = TOLERANCE_DEFAULT_MS};
	return webhook;
}

/* One place takes the place of the other. */
static void set_source(struct config_secret *secret, bool file, const char *text,
					   const struct config_origin *origin)
{
	free(secret->file);
	free(secret->variable);
	secret->file = file ? xstrdup(text) : NULL;
	secret->variable = file ? NULL : xstrdup(text);
	secret->source = origin->source;
}

static void set_secret(struct config *config, const char *name, const char *key, const char *text,
					   const struct config_origin *origin, struct findings *findings)
{
	struct config_secret *secret = secret_add(config, name);

	if (!secret)
		complain(origin, findings, "%s: there are too many secrets", name);
	else if (key && strcmp(key, "file") == 0)
		set_source(secret, true, text, origin);
	else if (key && strcmp(key, "env") == 0)
		set_source(secret, false, text, origin);
	else
		complain(origin, findings,
				 "a secret is {file: PATH} or {env: VARIABLE}, and has no key `%s`",
				 key ? key : "");
}

static void set_tolerance(struct config_webhook *webhook, const char *text,
						  const struct config_origin *origin, struct findings *findings)
{
	int64_t ms;

	if (duration_parse(text, &ms, NULL) < 0 || ms > TOLERANCE_MAX_MS)
		complain(origin, findings, "the tolerance is a duration of at most a day, not `%s`", text);
	else
		webhook->tolerance = ms;
}

static void set_webhook(struct config *config, const char *source, const char *key,
						const char *text, const struct config_origin *origin,
						struct findings *findings)
{
	struct config_webhook *webhook = webhook_add(config, source);

	if (!webhook) {
		complain(origin, findings, "%s: there are too many webhooks", source);
	} else if (key && strcmp(key, "secret_file") == 0) {
		set_source(&webhook->secret, true, text, origin);
	} else if (key && strcmp(key, "secret_env") == 0) {
		set_source(&webhook->secret, false, text, origin);
	} else if (key && strcmp(key, "scheme") == 0) {
		int scheme = webhook_scheme_parse(text);

		if (scheme < 0)
			complain(origin, findings, "the scheme is standard or github, not `%s`", text);
		else
			webhook->scheme = (enum webhook_scheme)scheme;
	} else if (key && strcmp(key, "header") == 0) {
		free(webhook->header);
		webhook->header = xstrdup(text);
		for (char *c = webhook->header; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	} else if (key && strcmp(key, "tolerance") == 0) {
		set_tolerance(webhook, text, origin, findings);
	} else {
		complain(origin, findings,
				 "a webhook has secret_file or secret_env, scheme, header and tolerance, and no "
				 "key `%s`",
				 key ? key : "");
	}
}

void config__waiting_set(struct config *config, const char *section, const char *name,
						 const char *key, const char *text, const struct config_origin *origin,
						 struct findings *findings)
{
	bool webhook = strcmp(section, "webhooks") == 0;

	if (!is_name(name, webhook))
		complain(origin, findings,
				 webhook ? "`%s` is no name: letters, digits, - and _"
						 : "`%s` is no name that an expression could read: letters, digits and _",
				 name);
	else if (!*text && strcmp(section, "env") != 0)
		complain(origin, findings, "%s must not be empty", name);
	else if (webhook)
		set_webhook(config, name, key, text, origin, findings);
	else if (strcmp(section, "secrets") == 0)
		set_secret(config, name, key, text, origin, findings);
	else
		set_env(config, name, text, origin, findings);
}

/* A name that is known, which the environment can write in capitals and with `_` for `-` alone;
 * else the name as it came. */
static const char *known_name(const struct config *config, const char *section, const char *name)
{
	size_t n = strcmp(section, "env") == 0       ? config->n_env
			   : strcmp(section, "secrets") == 0 ? config->n_secrets
												 : config->n_webhooks;

	for (size_t i = 0; i < n; i++) {
		const char *known = strcmp(section, "env") == 0       ? config->env[i].name
							: strcmp(section, "secrets") == 0 ? config->secrets[i].name
															  : config->webhooks[i].secret.name;
		size_t k = 0;

		while (known[k] && name[k] &&
			   (tolower((unsigned char)known[k]) == name[k] || (known[k] == '-' && name[k] == '_')))
			k++;
		if (!known[k] && !name[k])
			return known;
	}
	return name;
}

void config__waiting_variable(struct config *config, const char *section, const char *name,
							  const char *value, const struct config_origin *origin,
							  struct findings *findings)
{
	const char *key = strcmp(section, "env") == 0 ? NULL : strstr(name, "__");
	CLEANUP(free_p) char *alone = xstrndup(name, key ? (size_t)(key - name) : strlen(name));

	if (strcmp(section, "env") != 0 && !key)
		complain(origin, findings,
				 strcmp(section, "secrets") == 0
					 ? "is written SKALD_SECRETS__NAME__FILE or ..__NAME__ENV, not %s"
					 : "is written SKALD_WEBHOOKS__SOURCE__SECRET_FILE and the like, not %s",
				 origin->pointer);
	else
		config__waiting_set(config, section, known_name(config, section, alone),
							key ? key + 2 : NULL, value, origin, findings);
}

/* Reading secrets. */

static char *read_secret_file(const char *path, struct err *err)
{
	CLEANUP(buf_release) struct buf text;
	FILE *file = fopen(path, "re");
	char block[1024];
	size_t n;
	int r;

	buf_init(&text, SECRET_MAX_BYTES);
	if (!file) {
		err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
		return NULL;
	}
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(&text, block, n);
	r = ferror(file) ? err_set(err, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
	fclose(file);
	if (r == 0)
		r = buf_check(&text, path, err);
	/* Editors end a file with a line break, which is no part of it. */
	while (r == 0 && text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
		text.len--;
	return r < 0 ? NULL : xstrndup(buf_str(&text), text.len);
}

static void read_secret(struct config_secret *secret, const char *section,
						struct findings *findings)
{
	CLEANUP(free_p) char *pointer = xasprintf("/%s/%s", section, secret->name);
	const char *value = secret->variable ? getenv(secret->variable) : NULL;
	struct err err = {0};

	if (!secret->file && !secret->variable) {
		findings_add(findings, FINDING_ERROR, 0, pointer,
					 strcmp(section, "secrets") == 0
						 ? "a secret needs {file: PATH} or {env: VARIABLE}"
						 : "a webhook needs secret_file or secret_env; without an entry here its "
						   "source is not checked");
		return;
	}
	free(secret->value);
	secret->value = value ? xstrdup(value) : NULL;
	if (secret->file)
		secret->value = read_secret_file(secret->file, &err);
	if (!secret->value)
		findings_add(findings, FINDING_ERROR, 0, pointer, "the secret cannot be read: %s%s",
					 secret->file ? err.text : "there is no variable ",
					 secret->file ? "" : secret->variable);
	else if (!*secret->value || strpbrk(secret->value, "\r\n"))
		findings_add(findings, FINDING_ERROR, 0, pointer, "a secret is one line, and not empty");
	else if (strcmp(section, "secrets") == 0 && strlen(secret->value) < SECRET_LEAST_BYTES)
		findings_add(
			findings, FINDING_ERROR, 0, pointer,
			"a secret has at least %d bytes: a shorter one stands in too much to be masked "
			"where a participant sends it back",
			SECRET_LEAST_BYTES);
}

void config_read_secrets(struct config *config, struct findings *findings)
{
	for (size_t i = 0; i < config->n_secrets; i++)
		read_secret(&config->secrets[i], "secrets", findings);
	for (size_t i = 0; i < config->n_webhooks; i++)
		read_secret(&config->webhooks[i].secret, "webhooks", findings);
}

/* Checking, printing, giving. */

static void check_public_url(const struct config *config, struct findings *findings)
{
	const char *url = config->server_public_url;

	if (strcmp(url, "auto") == 0)
		return;
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
		strpbrk(url, "?# \"<>@"))
		findings_add(findings, FINDING_ERROR, 0, "/server/public_url",
					 "server.public_url is a URL as https://skald.example.com, without user and "
					 "query, not `%s`",
					 url);
}

void config__waiting_check(const struct config *config, struct findings *findings)
{
	struct err err;

	check_public_url(config, findings);
	for (size_t i = 0; i < config->n_webhooks; i++) {
		const struct config_webhook *webhook = &config->webhooks[i];
		CLEANUP(free_p) char *pointer = xasprintf("/webhooks/%s", webhook->secret.name);

		if (webhook->secret.value &&
			webhook_secret_check(webhook->scheme, webhook->secret.value, &err) < 0)
			findings_add(findings, FINDING_ERROR, 0, pointer, "%s", err.text);
		if (webhook->header && strlen(webhook->header) >= WEBHOOK_HEADER_SIZE - 16)
			findings_add(findings, FINDING_ERROR, 0, pointer, "the name of its header is too long");
	}
}

static void print_source(const struct config_secret *secret, const char *prefix, FILE *out)
{
	fprintf(out, "    %s%s: ", prefix, secret->file ? "file" : "env");
	config__print_string(secret->file       ? secret->file
						 : secret->variable ? secret->variable
											: "",
						 out);
	fprintf(out, "  # %s\n", config__source_text(secret->source));
}

void config__waiting_print(const struct config *config, FILE *out)
{
	fputs(config->n_env ? "env:\n" : "", out);
	for (size_t i = 0; i < config->n_env; i++) {
		fprintf(out, "  %s: ", config->env[i].name);
		config__print_string(config->env[i].text, out);
		fprintf(out, "  # %s\n", config__source_text(config->env[i].source));
	}
	fputs(config->n_secrets ? "secrets:\n" : "", out);
	for (size_t i = 0; i < config->n_secrets; i++) {
		fprintf(out, "  %s:\n", config->secrets[i].name);
		print_source(&config->secrets[i], "", out);
	}
	fputs(config->n_webhooks ? "webhooks:\n" : "", out);
	for (size_t i = 0; i < config->n_webhooks; i++) {
		const struct config_webhook *webhook = &config->webhooks[i];

		fprintf(out, "  %s:\n    scheme: %s\n", webhook->secret.name,
				webhook_scheme_text(webhook->scheme));
		print_source(&webhook->secret, "secret_", out);
		if (webhook->header) {
			fputs("    header: ", out);
			config__print_string(webhook->header, out);
			fputc('\n', out);
		}
		fprintf(out, "    tolerance: %lldms\n", (long long)webhook->tolerance);
	}
}

static void secret_release(struct config_secret *secret)
{
	free(secret->name);
	free(secret->file);
	free(secret->variable);
	if (secret->value)
		explicit_bzero(secret->value, strlen(secret->value));
	free(secret->value);
}

void config__waiting_release(struct config *config)
{
	for (size_t i = 0; i < config->n_env; i++) {
		free(config->env[i].name);
		free(config->env[i].text);
	}
	for (size_t i = 0; i < config->n_secrets; i++)
		secret_release(&config->secrets[i]);
	for (size_t i = 0; i < config->n_webhooks; i++) {
		secret_release(&config->webhooks[i].secret);
		free(config->webhooks[i].header);
	}
	free(config->env);
	free(config->secrets);
	free(config->webhooks);
	free(config->secret_view);
	free(config->webhook_view);
	json_decref(config->env_view);
}

void config__waiting_options(struct config *config, struct node_options *ret_options)
{
	free(config->secret_view);
	free(config->webhook_view);
	json_decref(config->env_view);
	config->env_view = json_object();
	for (size_t i = 0; i < config->n_env; i++)
		json_object_set_new(config->env_view, config->env[i].name,
							json_string(config->env[i].text));
	config->secret_view = xcalloc(config->n_secrets + 1, sizeof(*config->secret_view));
	for (size_t i = 0; i < config->n_secrets; i++)
		if (config->secrets[i].value)
			config->secret_view[ret_options->n_secrets++] =
				(struct secret){.name = config->secrets[i].name, .value = config->secrets[i].value};
	config->webhook_view = xcalloc(config->n_webhooks + 1, sizeof(*config->webhook_view));
	for (size_t i = 0; i < config->n_webhooks; i++) {
		const struct config_webhook *webhook = &config->webhooks[i];

		config->webhook_view[ret_options->n_webhooks++] = (struct webhook_check){
			.source = webhook->secret.name,
			.scheme = webhook->scheme,
			.secret = webhook->secret.value ? webhook->secret.value : "",
			.header = webhook->header,
			.tolerance_ms = webhook->tolerance,
		};
	}
	ret_options->env = config->env_view;
	ret_options->secrets = config->secret_view;
	ret_options->webhooks = config->webhook_view;
}
