#!/bin/sh
# Installs the packages of package-lock.json into the given folder below the build folder: `npm ci`,
# but never in the source tree. What is there already for the same lock file is left alone.
#
#     coordinator/dashboard/install.sh SOURCE FOLDER
set -eu
source=$1 folder=$2
if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
	cat >&2 <<-EOF
	The dashboard is built with Node, and \`node\` or \`npm\` is missing. One of:
	  make deps           installs both with the system's package manager (or install Node 18 or newer yourself)
	  make DASHBOARD=0    builds Skald without its dashboard
	  a release tarball   brings the dashboard built (coordinator/dashboard/dist)
	EOF
	exit 1
fi
mkdir -p "$folder"
if cmp -s "$source/package-lock.json" "$folder/package-lock.json" && [ -e "$folder/node_modules/.package-lock.json" ]; then
	exit 0
fi
cp "$source/package.json" "$source/.npmrc" "$folder/"
rm -f "$folder/package-lock.json"
cp "$source/package-lock.json" "$folder/package-lock.json.new"
mv "$folder/package-lock.json.new" "$folder/package-lock.json"
if ! (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error > npm.log 2>&1); then
	cat "$folder/npm.log" >&2
	rm -f "$folder/package-lock.json"
	exit 1
fi
