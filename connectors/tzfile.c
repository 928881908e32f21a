#include "connectors/tzfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { HEADER = 44, TYPE = 6 };

static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
									  "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};

struct bytes {
	const unsigned char *at;
	size_t left;
};

struct counts {
	uint32_t ut, standard, leap, times, types, chars;
	char version;
};

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t get64(const unsigned char *at)
{
	return (int64_t)((uint64_t)get32(at) << 32 | get32(at + 4));
}

static bool skip(struct bytes *bytes, uint64_t n)
{
	if (n > bytes->left)
		return false;
	bytes->at += n;
	bytes->left -= n;
	return true;
}

static bool take_header(struct bytes *bytes, struct counts *ret)
{
	const unsigned char *at = bytes->at;

	if (bytes->left < HEADER || memcmp(at, "TZif", 4) != 0)
		return false;
	*ret = (struct counts){
		.version = (char)at[4],
		.ut = get32(at + 20),
		.standard = get32(at + 24),
		.leap = get32(at + 28),
		.times = get32(at + 32),
		.types = get32(at + 36),
		.chars = get32(at + 40),
	};
	return skip(bytes, HEADER);
}

/* Bytes of a block whose times have this size. */
static uint64_t block_size(const struct counts *counts, unsigned time_size)
{
	return (uint64_t)counts->times * (time_size + 1) + (uint64_t)counts->types * TYPE +
		   counts->chars + (uint64_t)counts->leap * (time_size + 4) + counts->standard + counts->ut;
}

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "the file of the time zone is damaged: %s", what);
}

static int take_block(struct bytes *bytes, const struct counts *counts, unsigned time_size,
					  struct tz *tz, struct err *err)
{
	const unsigned char *times = bytes->at, *indexes, *types;

	if (counts->times > TZ_MAX_TRANSITIONS || counts->types == 0 || counts->types > 256)
		return damaged(err, "it has too many changes, or no offset");
	if (counts->leap > 0)
		return err_set(err, ERR_INVALID, "zones with leap seconds (right/…) are not for schedules");
	if (!skip(bytes, block_size(counts, time_size)))
		return damaged(err, "it ends too early");
	indexes = times + (size_t)counts->times * time_size;
	types = indexes + counts->times;
	tz->transitions = xcalloc(counts->times + 1, sizeof(*tz->transitions));
	for (uint32_t i = 0; i < counts->types; i++) {
		int32_t offset = (int32_t)get32(types + (size_t)i * TYPE);

		if (offset < -TZ_MAX_OFFSET || offset > TZ_MAX_OFFSET)
			return damaged(err, "an offset is past a day");
	}
	tz->first_offset = (int32_t)get32(types);
	for (uint32_t i = 0; i < counts->times; i++) {
		const unsigned char *at = times + (size_t)i * time_size;
		int64_t when = time_size == 8 ? get64(at) : (int32_t)get32(at);

		if (indexes[i] >= counts->types || (i > 0 && when <= tz->transitions[i - 1].at))
			return damaged(err, "its changes are not in order");
		tz->transitions[i] =
			(struct tz_transition){when, (int32_t)get32(types + (size_t)indexes[i] * TYPE)};
	}
	tz->n_transitions = counts->times;
	return 0;
}

/* "\n" rule "\n"; the rule may be empty. */
static int take_footer(struct bytes *bytes, struct tz *tz, struct err *err)
{
	const unsigned char *end;
	int r;

	if (bytes->left < 2 || bytes->at[0] != '\n')
		return damaged(err, "its end is missing");
	skip(bytes, 1);
	end = memchr(bytes->at, '\n', bytes->left);
	if (!end)
		return damaged(err, "its end is missing");
	if (end == bytes->at)
		return 0;
	r = tz_rule_parse((const char *)bytes->at, (size_t)(end - bytes->at), &tz->rule, err);
	tz->has_rule = r == 0;
	return r;
}

int tzfile_parse(const void *data, size_t len, struct tz **ret_tz, struct err *err)
{
	CLEANUP(tz_free_p) struct tz *tz = tz_new();
	struct bytes bytes = {data, len};
	struct counts counts;
	int r;

	if (len > TZFILE_MAX_BYTES)
		return damaged(err, "it is too large");
	if (!take_header(&bytes, &counts))
		return damaged(err, "it is no TZif");
	if (counts.version < '2') {
		r = take_block(&bytes, &counts, 4, tz, err);
	} else {
		if (!skip(&bytes, block_size(&counts, 4)) || !take_header(&bytes, &counts))
			return damaged(err, "it ends too early");
		r = take_block(&bytes, &counts, 8, tz, err);
		if (r == 0)
			r = take_footer(&bytes, tz, err);
	}
	if (r == 0)
		*ret_tz = TAKE(tz);
	return r;
}

/* Letters, digits and _+-, in parts with a slash between them: no way out of the folder. */
static bool is_name(const char *name)
{
	char before = '/';

	if (!*name || strlen(name) > TZ_NAME_MAX_BYTES)
		return false;
	for (const char *c = name; *c; before = *c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if (before == '/' && !letter)
			return false;
		if (!letter && !(*c >= '0' && *c <= '9') && !strchr("_+-/", *c))
			return false;
	}
	return before != '/';
}

static int read_all(int fd, unsigned char *data, size_t *ret_len)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, data + len, TZFILE_MAX_BYTES + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		len += (size_t)n;
		if (n == 0 || len > TZFILE_MAX_BYTES)
			break;
	}
	*ret_len = len;
	return 0;
}

static int unknown(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "this machine knows no time zone `%.64s`", name);
}

int tzfile_read(const char *name, struct tz **ret_tz, struct err *err)
{
	CLEANUP(free_p) unsigned char *data = NULL;
	size_t len = 0;
	int fd = -1, r;

	if (strcmp(name, "UTC") == 0) {
		*ret_tz = tz_new();
		return 0;
	}
	if (!is_name(name))
		return unknown(name, err);
	for (size_t i = 0; i < ARRAY_SIZE(folders) && fd < 0; i++) {
		CLEANUP(free_p) char *path = xasprintf("%s/%s", folders[i], name);

		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return unknown(name, err);
	data = xcalloc(1, TZFILE_MAX_BYTES + 1);
	r = read_all(fd, data, &len);
	close(fd);
	if (r == ERR_IO) /* a folder, too */
		return unknown(name, err);
	r = tzfile_parse(data, len, ret_tz, err);
	if (r < 0)
		err_prefix(err, "%s", name);
	return r;
}
