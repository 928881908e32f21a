#!/bin/bash
# The documents say what is true: docs/cli.md is what the program says, the saga of the README is
# valid, and links inside the project lead somewhere.
source "$(dirname "$0")/lib.sh"

BUILD=$build docs/generate-cli > "$dir/cli.md"
diff "$dir/cli.md" docs/cli.md > "$dir/diff" || fail "docs/cli.md is out of date; run docs/generate-cli > docs/cli.md"$'\n'"$(< "$dir/diff")"

awk '/^```yaml$/{on = 1; next} /^```$/{on = 0} on' README.md > "$dir/readme.yaml"
expect 0 "$skald" def validate "$dir/readme.yaml"; says 'ok: saga order, 2 steps'
[ "$out" = "$dir/readme.yaml: ok: saga order, 2 steps" ] || fail "the README's saga has warnings: $out"

for page in *.md docs/*.md examples/*.md examples/*/*.md; do
	while read -r link; do
		case $link in
		http*://* | '#'*) continue ;;
		esac
		[ -e "$(dirname "$page")/${link%%#*}" ] || fail "$page: the link to $link leads nowhere"
	done < <(grep -oE '\]\([^)]+\)' "$page" | sed 's/^](//; s/)$//')
done
