#!/bin/sh
# Prints a C file that holds the named files as data, for schemas/embedded.h. Run at the root.
set -eu
echo '#include "schemas/embedded.h"'
n=0
for file in "$@"; do
	printf '__asm__(".pushsection .rodata\\n.global embedded_%d\\nembedded_%d: .incbin \\"%s\\"\\n.byte 0\\n.popsection");\n' "$n" "$n" "$file"
	printf 'extern const char embedded_%d[];\n' "$n"
	n=$((n + 1))
done
echo 'const struct embedded_file embedded_files[] = {'
n=0
for file in "$@"; do
	printf '	{"%s", embedded_%d, %d},\n' "$file" "$n" "$(wc -c < "$file")"
	n=$((n + 1))
done
printf '};\nconst size_t embedded_file_count = %d;\n' "$n"
