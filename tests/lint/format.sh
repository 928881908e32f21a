#!/bin/bash
# clang-format decides, in one version, so that it decides the same everywhere.
set -u
command -v clang-format-14 > /dev/null || { echo "clang-format-14 is missing; make deps-check installs it"; exit 1; }
find sagas connectors coordinator schemas examples tests -name '*.[ch]' | xargs clang-format-14 --dry-run -Werror
