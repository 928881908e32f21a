#!/bin/bash
# A variable that is released when its scope ends holds something to release before any return:
# one declared without a value must be set up before the first return that follows it.
set -u
found=$(find sagas connectors coordinator schemas examples tests -name '*.[ch]' -print0 |
	xargs -0 awk '
	FNR == 1 { name = "" }
	/^}/ { name = "" }
	name != "" && $0 ~ "(^|[^A-Za-z0-9_])" name "($|[^A-Za-z0-9_])" { name = "" }
	name != "" && /(^|[^A-Za-z0-9_])return($|[^A-Za-z0-9_])/ {
		print FILENAME ":" FNR ": returns before " name " (line " line ") is set up"
		name = ""
	}
	/^[ \t]+CLEANUP\([a-z0-9_]+\)[^=]*;[ \t]*$/ {
		name = $0
		sub(/;[ \t]*$/, "", name)
		sub(/.*[^A-Za-z0-9_]/, "", name)
		line = FNR
	}')
[ -z "$found" ] && exit 0
echo "$found"
exit 1
