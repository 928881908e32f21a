#!/bin/bash
# Includes name the path from the root and only point down:
#   sagas/base < sagas < connectors < coordinator; schemas is data for the upper two;
#   examples know nothing of Skald, but for what is installed for workers; tests may include everything, and nothing includes tests.
set -u
declare -A may=(
	[sagas/base]="sagas/base"
	[sagas]="sagas/base sagas"
	[connectors]="sagas/base sagas schemas connectors"
	[coordinator]="sagas/base sagas schemas connectors coordinator"
	[schemas]="schemas"
	[examples]="examples"
	[tests]="sagas/base sagas schemas connectors coordinator examples tests"
)
layer_of() {
	case $1 in
	sagas/base/*) echo sagas/base ;;
	*) echo "${1%%/*}" ;;
	esac
}
bad=0
while IFS=: read -r file line text; do
	target=${text#*\"} target=${target%%\"*}
	from=$(layer_of "$file") to=$(layer_of "$target")
	if [[ $target != */* ]] || ! [ -e "$target" ]; then
		echo "$file:$line: \"$target\" is no path from the root"
		bad=1
	elif [ "$from" = examples ] && [ "$target" = connectors/worker_client.h ]; then
		continue
	elif [[ " ${may[$from]:-} " != *" $to "* ]]; then
		echo "$file:$line: $from must not include $to ($target)"
		bad=1
	fi
done < <(find sagas connectors coordinator schemas examples tests -name '*.[ch]' | xargs grep -nE '^#include "')
exit $bad
