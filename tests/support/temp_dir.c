#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sagas/base/macros.h"

static char *path;

const char *temp_dir_make(void)
{
	const char *base = getenv("TMPDIR");

	CHECK(!path);
	path = xasprintf("%s/skald-test-XXXXXX", base ? base : "/tmp");
	CHECK(mkdtemp(path));
	return path;
}

void temp_dir_remove(void)
{
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' || (entry->d_name[1] && entry->d_name[1] != '.'))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	if (path)
		rmdir(path);
	free(TAKE(path));
}
