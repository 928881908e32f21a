#!/bin/bash
# Functions that are easy to use wrongly, and what to use instead.
set -u
declare -A instead=(
	[strcpy]="snprintf or struct buf" [strcat]="struct buf" [stpcpy]="struct buf"
	[strncpy]="snprintf" [strncat]="struct buf" [sprintf]="snprintf or struct buf"
	[vsprintf]="vsnprintf" [strtok]="strcspn and strspn" [gets]="fread" [atoi]="strtol"
	[atol]="strtol" [atoll]="strtoll" [atof]="strtod" [alloca]="struct buf"
	[asctime]="time_format" [ctime]="time_format" [localtime]="time_format"
	[rand]="the input's random number" [tmpnam]="mkstemp" [mktemp]="mkstemp" [signal_handler]="sigwaitinfo"
)
bad=0
for name in "${!instead[@]}"; do
	while IFS=: read -r file line text; do
		[ -n "$file" ] || continue
		echo "$file:$line: $name is banned; use ${instead[$name]}"
		bad=1
	done < <(find sagas connectors coordinator schemas examples tests -name '*.[ch]' | xargs grep -nE "(^|[^A-Za-z0-9_.>\"])$name\(")
done
exit $bad
