#!/bin/sh
# Everything that needs no server: format, lint, types, dead code, architecture, unit tests.
set -e
# The slowest has no need of the others: beside them it costs nothing on two cores.
found=$(mktemp)
oxlint --type-aware --config .config/oxlintrc.json --deny-warnings >"$found" 2>&1 &
lint=$!
trap 'kill $lint 2>/dev/null || true; rm -f "$found"' EXIT
biome ci .
tsc --noEmit
knip --config .config/knip.json
vitest run --config .config/vitest.config.ts --project unit
wait $lint || { cat "$found"; exit 1; }
