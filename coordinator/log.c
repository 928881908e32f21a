#include "coordinator/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sagas/base/buf.h"
#include "sagas/base/text.h"
#include "sagas/base/time.h"
#include "sagas/json_text.h"

enum { LINE_MAX_BYTES = 2048 };

/* Set once, before threads are started; read by all. */
static int log_level_now = LOG_INFO;
static bool log_json;

void log_setup(enum log_level level, bool json)
{
	log_level_now = level;
	log_json = json;
}

static const char *const level_texts[] = {
#define X(name, text) [name] = text,
	LOG_LEVELS(X)
#undef X
};

int log_level_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_texts); i++)
		if (strcmp(text, level_texts[i]) == 0)
			return (int)i;
	return strcmp(text, "off") == 0 ? LOG_OFF : -2;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= log_level_now;
}

static void add_field(struct buf *line, const char *name, const char *value)
{
	buf_printf(line, log_json ? ",\"%s\":\"" : " %s=\"", name);
	json_write_string_body(value, strlen(value), line);
	buf_add_char(line, '"');
}

static void write_line(const struct buf *line)
{
	ssize_t r = write(STDERR_FILENO, buf_str(line), line->len);

	(void)r; /* there is nobody left to tell */
}

void log_write(enum log_level level, const char *component, const char *saga_id, const char *fmt,
			   ...)
{
	char text[LINE_MAX_BYTES / 2], at[TIME_TEXT_SIZE];
	struct timespec now;
	struct buf line;
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_clean_utf8(text); /* it may have been cut within a character */
	clock_gettime(CLOCK_REALTIME, &now);
	time_format(now.tv_sec * 1000 + now.tv_nsec / 1000000, at);
	buf_init(&line, 8 * LINE_MAX_BYTES);
	if (log_json)
		buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\"", at,
				   level_texts[level], component);
	else
		buf_printf(&line, "%s %s %s", at, level_texts[level], component);
	if (saga_id)
		add_field(&line, "saga", saga_id);
	add_field(&line, "msg", text);
	buf_add_str(&line, log_json ? "}\n" : "\n");
	write_line(&line);
	buf_release(&line);
}
