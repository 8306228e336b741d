#!/bin/sh
# build-pulse.sh ROOT [OUTDIR]: the director in a few files, build/pulse of ROOT unless told. Nothing to do when they are
# newer than its source.
#
# Loading two hundred modules one by one takes a tenth of a second, and as long again in the pulse worker: more than is
# left of a lease of a deadtime of 300 ms. The launcher calls this before each `pulse`; where it fails, the source runs.
set -eu

root=$1
out=${2:-$root/build/pulse}

is_fresh() { [ -e "$out/pulse-process.mjs" ] && [ -z "$(find "$root/src" "$root/package-lock.json" -newer "$out/pulse-process.mjs" -print -quit)" ]; }
is_fresh && exit 0

mkdir -p "$root/.cache" "${out%/*}"
exec 9>"$root/.cache/build-pulse.lock"
flock -w 60 9 || { echo "build-pulse: another build has held $root/.cache/build-pulse.lock for a minute" >&2 && exit 1; }
is_fresh && exit 0 # another one did it while we waited

fresh=$out.$$
trap 'rm -rf "$fresh"' EXIT
# Packages of the older kind ask for Node's modules by `require`.
require="import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
(cd "$root" && node_modules/.bin/esbuild src/cli/pulse-process.ts src/director/pulse-worker.ts --bundle --splitting \
  --format=esm --platform=node --target=node24 --outdir="$fresh" --entry-names='[name]' --out-extension:.js=.mjs \
  --legal-comments=none --log-level=warning "--banner:js=$require")
rm -rf "$out"
mv "$fresh" "$out"
