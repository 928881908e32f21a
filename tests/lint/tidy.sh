#!/bin/bash
# clang-tidy with the short list of checks in .clang-tidy, over the code that ships (not over tests).
set -u
command -v clang-tidy-14 > /dev/null || { echo "clang-tidy-14 is missing; make deps-check installs it"; exit 1; }
flags=$(pkg-config --cflags jansson libmicrohttpd libcurl yaml-0.1 sqlite3 libcrypto hiredis libpq rdkafka)
# shellcheck disable=SC2086
find sagas connectors coordinator -name '*.c' | xargs -P 2 -n 8 sh -c '
	clang-tidy-14 --quiet "$@" -- -std=gnu11 -pthread -I. -D_GNU_SOURCE "-DSKALD_VERSION=\"0\"" '"$flags"' 2> /dev/null' tidy
