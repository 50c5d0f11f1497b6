#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the benches in C and in Go, runs both interleaved and prints a table; see README.md.
if ! command -v python3 >/dev/null 2>&1; then
	echo "run.sh: python3 is missing" >&2
	exit 1
fi
exec python3 "$(dirname "$0")/run.py" "$@"
