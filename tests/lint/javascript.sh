#!/bin/bash
# The dashboard and the tests in browsers: files stay short, lines too; packages stand in a lock file
# that names no registry; and nothing can put markup or code into a page: what people and
# participants write is shown as text.
set -u
bad=0
mapfile -t files < <(find coordinator/dashboard tests docs -name node_modules -prune -o -path '*/dashboard/dist' -prune -o \
	-type f \( -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.html' \) -print | sort)
[ ${#files[@]} -gt 0 ] || { echo "no JavaScript was found"; exit 1; }
complain() { # what; reads file:line:text
	while IFS= read -r hit; do
		echo "$hit: $1"
		bad=1
	done < <(cut -d: -f1,2)
}
for file in "${files[@]}"; do
	lines=$(wc -l < "$file")
	[ "$lines" -le 620 ] || { echo "$file: $lines lines; at most 620"; bad=1; }
done
sources=() modules=()
for file in "${files[@]}"; do
	case $file in
	coordinator/dashboard/src/*.js) sources+=("$file") modules+=("$file") ;;
	*.js | *.mjs) modules+=("$file") ;;
	esac
done
complain "a space at the end of the line" < <(grep -nHE '[ 	]+$' "${files[@]}")
complain "longer than 130 columns" < <(grep -nHE '^.{131,}' "${modules[@]}")
complain "makes markup, or code, of a text" < <(grep -nHE \
	'innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|srcdoc|DOMParser|createContextualFragment|\beval\(|new Function|javascript:' \
	"${sources[@]}")
complain "a style as text does not pass the content security policy" < <(grep -nHE \
	"style=[\"']|style=\\$\{\`|setAttribute\([\"']style|cssText" "${sources[@]}")
# preact, htm and uplot each have one file that wraps them.
complain "imports a package that another file wraps" < <(grep -nHE "^(import|export) .* from '[^.]" "${sources[@]}" |
	grep -vE "^coordinator/dashboard/src/h\.js:[0-9]+:.*'(preact|htm|preact/hooks)'|^coordinator/dashboard/src/chart\.js:[0-9]+:.*'uplot'")
for lock in coordinator/dashboard/package-lock.json tests/browser/package-lock.json; do
	[ -e "$lock" ] || continue
	if grep -nE '"resolved"' "$lock" | head -n 1 | grep -q .; then
		echo "$lock: names where packages come from; see .npmrc"
		bad=1
	fi
	if grep -nE '"(dependencies|devDependencies)"' -A9 "${lock%-lock.json}.json" | grep -E '"[\^~*]|"(latest|>)'; then
		echo "${lock%-lock.json}.json: a version is not pinned"
		bad=1
	fi
done
# What is bundled is parsed by the bundler; this is the rest.
if command -v node > /dev/null; then
	for file in "${modules[@]}"; do
		[[ $file != coordinator/dashboard/src/* ]] || continue
		node --input-type=module --check < "$file" || { echo "$file: is no JavaScript"; bad=1; }
	done
fi
exit $bad
