#!/bin/bash
# Puts one mistake at a time about idempotency keys into a copy of the tree, and requires
# tests/e2e/redis.sh to find it. Arguments name the mutants to try, none means all.
set -u
cd "$(dirname "$0")/../.." || exit 1
make=${MAKE:-make}
build=build/release
caught=0 missed=0
only=$*
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

"$make" -s -j"$(nproc)" all $build/tests/tools/fits_openapi || exit 1
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$tree" 2> /dev/null
mkdir -p "$tree/$build" && cp -a $build/. "$tree/$build/"
(cd "$tree" && BUILD=$build tests/e2e/redis.sh > log 2>&1) || {
	echo "redis.sh fails without any mistake: $(grep -a '^redis:' "$tree/log" | head -1)"
	exit 1
}

mutant() { # name file sed-expression
	local name=$1 file=$2 expression=$3
	[ -n "$only" ] && [[ " $only " != *" $name "* ]] && return
	cp -a "$tree/$file" "$tree/original"
	sed -i -E -z "$expression" "$tree/$file"
	if cmp -s "$tree/$file" "$tree/original"; then
		echo "STALE  $name: nothing in $file matches any more"
		missed=$((missed + 1))
	elif ! "$make" -C "$tree" -s -j"$(nproc)" $build/skald > "$tree/log" 2>&1; then
		echo "BROKEN $name does not compile: $(grep -a error "$tree/log" | head -1)"
		missed=$((missed + 1))
	elif (cd "$tree" && BUILD=$build tests/e2e/redis.sh > log 2>&1); then
		echo "MISSED $name"
		missed=$((missed + 1))
	else
		echo "caught $name: $(grep -a '^redis:' "$tree/log" | head -1 | cut -c1-120)"
		caught=$((caught + 1))
	fi
	cp -a "$tree/original" "$tree/$file"
	touch "$tree/$file"
}

start=coordinator/api_start.c
# The store lets a second saga take the key.
mutant redis-alone-deduplicates connectors/store_sqlite_priv.h \
	's/INSERT INTO (idempotency"[^?]*VALUES[^)]*\)) ON CONFLICT DO NOTHING/INSERT OR REPLACE INTO \1/'
# The pointer is written when the start is posted.
mutant redis-before-the-commit $start \
	's/(static void make_id\()/static void remember(struct exchange *ex, const char *id);\n\1/; s/(\tmake_id\(ex, start, call->id\);\n)/\1\tremember(ex, call->id);\n/'
mutant pointer-not-compared $start 's/(struct saga_view \*view\)\n\{\n\tchar fingerprint[^\n]*\n)/\1\n\tif (!start->posted)\n\t\treturn true;/'
mutant fingerprint-of-the-pointer-trusted $start 's/return start->posted \|\|/return true || start->posted ||/'
mutant dead-pointer-refuses-the-start $start 's/if \(!start->posted\)(\s+ex->next = leave_stale_pointer)/if (false)\1/'
mutant pointer-in-the-wrong-namespace connectors/idempotency_redis.c 's/strlen\(ns\), ns, strlen/(size_t)0, ns, strlen/'

echo "$caught passed, $missed failed"
[ "$missed" = 0 ]
