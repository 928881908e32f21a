#!/bin/bash
# Every header compiles alone.
set -u
flags=$(pkg-config --cflags jansson libmicrohttpd libcurl yaml-0.1 sqlite3 libcrypto hiredis libpq rdkafka)
export flags
check() {
	# shellcheck disable=SC2086
	${CC:-cc} -std=gnu11 -pthread -I. -D_GNU_SOURCE -DSKALD_VERSION='"0"' -Wall -Wextra \
		-Wno-unused-function $flags -fsyntax-only -x c -include "$1" /dev/null || echo "$1 does not compile alone"
}
export -f check
out=$(find sagas connectors coordinator schemas examples tests -name '*.h' | xargs -P 2 -I{} bash -c 'check {}' 2>&1)
[ -z "$out" ] && exit 0
echo "$out"
exit 1
