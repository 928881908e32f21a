#include "sagas/base/suggest.h"

#include <string.h>

enum { MAX_LEN = 64 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int min3(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/*
 * Edits that turn a into b, where exchanging two neighbours is one edit (the most frequent slip of
 * the fingers), and case does not count. Three rows of the usual table are enough.
 */
static int distance(const char *a, int a_len, const char *b, int b_len)
{
	int rows[3][MAX_LEN + 1];

	for (int j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (int i = 1; i <= a_len; i++) {
		int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (int j = 1; j <= b_len; j++) {
			int differ = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + differ);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]) && above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[a_len % 3][b_len];
}

void suggest_init(struct suggest *s, const char *word, size_t len)
{
	/* A third of the letters may be wrong; of a word of two, one. */
	*s = (struct suggest){.word = word, .len = len, .distance = (int)(len < 6 ? 2 : len / 3) + 1};
	if (len < 3)
		s->distance = 2;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t len = strlen(candidate);
	int d;

	if (len > MAX_LEN || s->len > MAX_LEN || len == 0)
		return;
	d = distance(s->word, (int)s->len, candidate, (int)len);
	/* A word that was cut short ("max" for "maximum_attempts") may be meant, too. */
	if (d > 2 && s->len >= 3 && len > s->len && memcmp(candidate, s->word, s->len) == 0)
		d = 2;
	if (d < s->distance && (size_t)d < len) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *suggest_from(const char *word, const char *const *list, size_t n)
{
	struct suggest s;

	suggest_init(&s, word, strlen(word));
	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, list[i]);
	return s.best;
}
