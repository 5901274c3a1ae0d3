#!/bin/sh
# Everything that needs no server: format, lint, types, dead code, architecture, unit tests.
set -e
biome ci .
tsc --noEmit
oxlint --type-aware --config .config/oxlintrc.json --deny-warnings
knip --config .config/knip.json
vitest run --config .config/vitest.config.ts --project unit
