/*
 * What headers of HTTP requests say: preferences, tags, and where a browser says that it comes
 * from. Functions of text alone.
 */
#ifndef COORDINATOR_HTTP_TEXT_H
#define COORDINATOR_HTTP_TEXT_H

#include <stdbool.h>

/* Whether Accept-Encoding allows gzip. header may be NULL: then nothing is compressed. */
bool http_accepts_gzip(const char *header);

/* Whether If-None-Match names the tag (quoted); compared weakly, as its GETs are. */
bool http_etag_matches(const char *header, const char *etag);

/*
 * Who may be asked for, and from where.
 *
 * A page of any site may make its visitor's browser send requests to this server, which may well
 * listen on the loopback of the visitor's machine. Such a request says in Origin where the page
 * comes from. A page whose name leads to this server's address (DNS rebinding) is of the "same"
 * origin for the browser, and shows by its name alone: so names are known ones.
 */
struct http_origins {
	bool loopback;         /* it listens on the machine's own addresses alone */
	const char *listen;    /* the address, as configured */
	const char *advertise; /* URL for other nodes; NULL: none */
	const char *allowed;   /* origins, separated by commas; NULL: none */
};

/*
 * Whether a request may ask for this host (the header Host; NULL: not said). On loopback only
 * addresses, localhost, and the names in listen, advertise and allowed; otherwise every one, for
 * other services find a server by whatever name they were given.
 */
bool http_host_is_served(const struct http_origins *origins, const char *host);

/* Whether what changes something may come from a page of this origin (the header Origin). */
bool http_origin_is_own(const struct http_origins *origins, const char *origin, const char *host);

/* Whether text is a list of origins as `allowed` takes it: scheme://host[:port], and no more. */
bool http_origins_are_valid(const char *text);

#endif
