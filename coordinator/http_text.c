/* See the header. Lists are walked in place; nothing is copied. */
#include "coordinator/http_text.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* A piece of a text. */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span span, const char *text)
{
	return strlen(text) == span.len && strncasecmp(span.at, text, span.len) == 0;
}

static struct span span_trim(struct span span)
{
	while (span.len > 0 && strchr(" \t", span.at[0])) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 && strchr(" \t", span.at[span.len - 1]))
		span.len--;
	return span;
}

/* The next member of a list whose members are separated by `by`; false at its end. */
static bool next_member(const char **list, char by, struct span *ret_span)
{
	const char separators[] = {by, '\0'};
	size_t len;

	if (!**list)
		return false;
	len = strcspn(*list, separators);
	*ret_span = span_trim((struct span){*list, len});
	*list += len + ((*list)[len] ? 1 : 0);
	return true;
}

/* "gzip;q=0": a weight that is zero means never. */
static bool is_refused(struct span parameters)
{
	const char *q = parameters.at, *end = parameters.at + parameters.len;

	while (q < end && strchr("; \t", *q))
		q++;
	if (end - q < 3 || (*q | 0x20) != 'q' || q[1] != '=')
		return false;
	for (q += 2; q < end; q++) {
		if (*q != '0' && *q != '.')
			return false;
	}
	return true;
}

bool http_accepts_gzip(const char *header)
{
	bool any = false;
	struct span member;

	while (header && next_member(&header, ',', &member)) {
		size_t len = strcspn(member.at, "; \t,");
		struct span coding = {member.at, len < member.len ? len : member.len};
		struct span rest = {coding.at + coding.len, member.len - coding.len};

		if (span_is(coding, "gzip") || span_is(coding, "x-gzip"))
			return !is_refused(rest);
		if (span_is(coding, "*"))
			any = !is_refused(rest);
	}
	return any;
}

bool http_etag_matches(const char *header, const char *etag)
{
	struct span member;

	while (next_member(&header, ',', &member)) {
		if (member.len > 2 && strncmp(member.at, "W/", 2) == 0)
			member = (struct span){member.at + 2, member.len - 2};
		if (span_is(member, "*") ||
			(strlen(etag) == member.len && memcmp(member.at, etag, member.len) == 0))
			return true;
	}
	return false;
}

/* What follows "http://" or "https://" in a URL, up to its path; len 0: it is none. */
static struct span authority_of(struct span url)
{
	size_t skip = 0, len = 0;

	if (url.len > 7 && strncasecmp(url.at, "http://", 7) == 0)
		skip = 7;
	else if (url.len > 8 && strncasecmp(url.at, "https://", 8) == 0)
		skip = 8;
	else
		return (struct span){url.at, 0};
	while (skip + len < url.len && !strchr("/?#@", url.at[skip + len]))
		len++;
	return (struct span){url.at + skip, len};
}

/* Without the port; of [::1]:80 what stands in the brackets. */
static struct span host_of(struct span authority)
{
	size_t len = 0;

	if (authority.len > 0 && authority.at[0] == '[') {
		while (len < authority.len && authority.at[len] != ']')
			len++;
		return (struct span){authority.at + 1, len > 0 ? len - 1 : 0};
	}
	while (len < authority.len && authority.at[len] != ':')
		len++;
	return (struct span){authority.at, len};
}

/* Names that nobody else can have lead here: addresses have no name that could be rebound. */
static bool is_address_or_local(struct span host)
{
	static const char local[] = ".localhost";
	unsigned char addr[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (span_is(host, "localhost") ||
		(host.len >= sizeof(local) &&
		 strncasecmp(host.at + host.len - (sizeof(local) - 1), local, sizeof(local) - 1) == 0))
		return true;
	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

static bool same_span(struct span a, struct span b)
{
	return a.len > 0 && a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool host_is_known(const struct http_origins *origins, struct span host)
{
	const char *allowed = origins->allowed;
	struct span member;

	if (is_address_or_local(host) || span_is(host, origins->listen))
		return true;
	if (origins->advertise) {
		member = (struct span){origins->advertise, strlen(origins->advertise)};
		if (same_span(host, host_of(authority_of(member))))
			return true;
	}
	while (allowed && next_member(&allowed, ',', &member)) {
		if (same_span(host, host_of(authority_of(member))))
			return true;
	}
	return false;
}

bool http_host_is_served(const struct http_origins *origins, const char *host)
{
	return !origins->loopback || !host || !*host ||
		   host_is_known(origins, host_of((struct span){host, strlen(host)}));
}

bool http_origin_is_own(const struct http_origins *origins, const char *origin, const char *host)
{
	struct span whole = {origin, strlen(origin)}, authority = authority_of(whole);
	const char *allowed = origins->allowed;
	struct span member;

	while (allowed && next_member(&allowed, ',', &member)) {
		if (same_span(whole, member))
			return true;
	}
	/* "null" of a sandboxed page, and what is no address, have no authority. */
	if (!host || !same_span(authority, (struct span){host, strlen(host)}))
		return false;
	return host_is_known(origins, host_of(authority));
}

bool http_origins_are_valid(const char *text)
{
	struct span member;
	int n = 0;

	while (next_member(&text, ',', &member)) {
		struct span authority = authority_of(member);

		if (host_of(authority).len == 0 || authority.at + authority.len != member.at + member.len)
			return false;
		n++;
	}
	return n > 0;
}
