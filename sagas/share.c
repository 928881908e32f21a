#include "sagas/share.h"

#include "sagas/base/buf.h"
#include "sagas/hash.h"

bool share_has(const char *ns, const char *definition, int64_t version, const char *identity,
			   int percent)
{
	unsigned char digest[SHA256_SIZE];
	struct buf text;
	unsigned n;

	if (percent <= 0)
		return false;
	if (percent >= 100)
		return true;
	buf_init(&text, 0);
	buf_printf(&text, "share\n%s\n%s\n%lld\n%s", ns, definition, (long long)version, identity);
	hash_sha256(text.data, text.len, digest);
	buf_release(&text);
	n = (unsigned)digest[0] << 16 | (unsigned)digest[1] << 8 | digest[2];
	return n % 100 < (unsigned)percent;
}
