#!/bin/bash
# Files stay short enough to be read in one go: about 600 lines are meant, 800 are an error.
set -u
bad=0
while read -r file; do
	lines=$(wc -l < "$file")
	case $file in
	tests/*) meant=1000 most=1200 ;;
	*) meant=620 most=800 ;;
	esac
	if [ "$lines" -gt $most ]; then
		echo "$file: $lines lines, more than $most"
		bad=1
	elif [ "$lines" -gt $meant ]; then
		echo "$file: $lines lines; about 600 are meant"
	fi
done < <(find sagas connectors coordinator schemas examples tests -name '*.[ch]')
exit $bad
