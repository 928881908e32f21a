#!/bin/bash
# Files stay short enough to be read in one go. Generated tables and tests may be longer.
set -u
bad=0
while read -r file; do
	lines=$(wc -l < "$file")
	case $file in
	tests/*) most=1200 ;;
	*) most=620 ;;
	esac
	if [ "$lines" -gt $most ]; then
		echo "$file: $lines lines, more than $most"
		bad=1
	fi
done < <(find sagas connectors coordinator schemas examples tests -name '*.[ch]')
exit $bad
