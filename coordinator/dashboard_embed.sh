#!/bin/sh
# Prints a C file that holds the files of a built dashboard as data, for coordinator/dashboard.h.
#   coordinator/dashboard_embed.sh FOLDER     the folder may be missing or empty: then there are none
# A file with NAME.gz beside it is embedded in both forms. The tag of a file is a hash of its bytes.
set -eu
folder=$1
echo '#include "coordinator/dashboard.h"'
list=
if [ -d "$folder" ]; then
	list=$(cd "$folder" && find . -type f ! -name '*.gz' ! -name '.*' | sed 's|^\./||' | LC_ALL=C sort)
fi
if printf '%s' "$list" | grep -q '[^A-Za-z0-9._/-]'; then
	echo "$folder: names of files may hold letters, digits, dots, dashes and underscores alone" >&2
	exit 1
fi

incbin() { # symbol file
	printf '__asm__(".pushsection .rodata\\n.global %s\\n%s: .incbin \\"%s\\"\\n.byte 0\\n.popsection");\n' "$1" "$1" "$2"
	printf 'extern const unsigned char %s[];\n' "$1"
}

n=0
for path in $list; do
	incbin "dashboard_data_$n" "$folder/$path"
	[ ! -f "$folder/$path.gz" ] || incbin "dashboard_gzip_$n" "$folder/$path.gz"
	n=$((n + 1))
done
echo 'const struct dashboard_file dashboard_files[] = {'
n=0
for path in $list; do
	tag=$(sha256sum < "$folder/$path" | cut -c 1-16)
	printf '	{"%s", "%s", dashboard_data_%d, %d, ' "$path" "$tag" "$n" "$(wc -c < "$folder/$path")"
	if [ -f "$folder/$path.gz" ]; then
		printf 'dashboard_gzip_%d, %d},\n' "$n" "$(wc -c < "$folder/$path.gz")"
	else
		printf 'NULL, 0},\n'
	fi
	n=$((n + 1))
done
# An array is never empty.
printf '	{0},\n};\nconst size_t dashboard_file_count = %d;\n' "$n"
