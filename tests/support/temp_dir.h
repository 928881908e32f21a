/*
 * A directory for the files of a test program.
 */
#ifndef TESTS_SUPPORT_TEMP_DIR_H
#define TESTS_SUPPORT_TEMP_DIR_H

/* Makes it below $TMPDIR or /tmp; aborts when that fails. The text lives until temp_dir_remove. */
const char *temp_dir_make(void);
/* Removes it with the files in it (not with directories in it). */
void temp_dir_remove(void);

#endif
