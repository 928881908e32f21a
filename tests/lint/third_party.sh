#!/bin/bash
# A third-party header appears only in the files that wrap it. One line a library: its headers, and
# the files that may name them.
set -u
table='
jansson\.h           sagas/* connectors/* coordinator/* examples/* tests/*
openssl/.*           sagas/hash.c tests/unit/sagas/test_hash.c
curl/.*              connectors/http_* connectors/worker_client.c
hiredis/.*           connectors/redis_link.c tests/*
sqlite3\.h           connectors/store_sqlite* examples/participant/ledger.c tests/*
libpq-fe\.h         connectors/store_postgres* tests/*
librdkafka/.*        connectors/kafka* examples/*/participants/* tests/*
yaml\.h              connectors/yaml*
microhttpd\.h        coordinator/server*.c coordinator/server_priv.h examples/participant/participant.c tests/*
check\.h             tests/*
librdkafka/.*        connectors/kafka* examples/*/participants/* tests/*
zlib\.h|uuid/.*|glib.*  -
'
# What the C library and the system bring; everything else must stand in the table.
system='alloca|assert|complex|ctype|dirent|dlfcn|errno|fcntl|float|fnmatch|ftw|getopt|glob|inttypes|limits|locale|malloc|math|netdb|poll|pthread|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|syslog|termios|threads|time|ucontext|unistd|wchar'
bad=0
allowed() { # header file
	local pattern globs glob
	while read -r pattern globs; do
		[ -n "$pattern" ] && [[ $1 =~ ^($pattern)$ ]] || continue
		# shellcheck disable=SC2086
		set -f
		for glob in $globs; do
			# shellcheck disable=SC2053
			[[ $2 == $glob ]] && { set +f; return 0; }
		done
		set +f
	done <<< "$table"
	return 1
}
while IFS=: read -r file line text; do
	header=${text#*<} header=${header%%>*}
	[[ $header =~ ^($system)\.h$ || $header =~ ^(sys|arpa|netinet|linux|net|sanitizer)/ ]] && continue
	if ! allowed "$header" "$file"; then
		echo "$file:$line: <$header> does not belong here; see the table in tests/lint/third_party.sh"
		bad=1
	fi
	if [ "$header" = jansson.h ] && [[ $file == sagas/base/* ]]; then
		echo "$file:$line: sagas/base knows the C library alone"
		bad=1
	fi
done < <(find sagas connectors coordinator schemas examples tests -name '*.[ch]' | xargs grep -nE '^#include <')
exit $bad
