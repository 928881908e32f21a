/*
 * The dashboard's files, compiled in as data by dashboard_embed.sh, and how a request finds its
 * one. The files are what the build puts into one folder: index.html, and assets/ with names that
 * change with their content. A build without the dashboard has no files.
 */
#ifndef COORDINATOR_DASHBOARD_H
#define COORDINATOR_DASHBOARD_H

#include <stdbool.h>
#include <stddef.h>

struct dashboard_file {
	const char *path; /* "index.html", "assets/app-1a2b3c4d.js" */
	const char *tag;  /* of its content */
	const unsigned char *data;
	size_t len;
	const unsigned char *gzip; /* NULL: there is no such form */
	size_t gzip_len;
};

/* In the order of their paths. */
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_file_count;

/*
 * The file for what follows /ui/ in a path, in a table of n. What is no file is a place of the
 * application, whose page is index.html; but below assets/, and with the ending of a file, it is
 * NULL.
 */
const struct dashboard_file *dashboard_find(const struct dashboard_file *files, size_t n,
											const char *path);
/* The value of Content-Type, by the ending. */
const char *dashboard_media_type(const char *path);
/* Whether a browser may keep it for ever: its name changes with its content. */
bool dashboard_is_immutable(const char *path);

#endif
