/*
 * Small things about text.
 */
#ifndef SAGAS_BASE_TEXT_H
#define SAGAS_BASE_TEXT_H

/* Replaces what is not UTF-8, such as a character that was cut at the end, by '?'; in place. */
void text_clean_utf8(char *text);

#endif
