/*
 * Small things about text.
 */
#ifndef SAGAS_BASE_TEXT_H
#define SAGAS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Replaces what is not UTF-8, such as a character that was cut at the end, by '?'; in place. */
void text_clean_utf8(char *text);

/* Whether the bytes are UTF-8 without a NUL, so that they may stand in a JSON string. */
bool text_is_utf8(const char *text, size_t len);

#endif
