#!/bin/sh
# Builds the addon and the spawner for the machine we are on, from the headers that come with Node's
# package.
#
#   native/build.sh [DIRECTORY]     into build/linux-ARCH, or DIRECTORY
#
# The result depends on the source and the compiler only (no paths, no times, no build id), and
# carries the SHA-256 of its source, by which a test sees that the committed prebuild is the
# committed source. Sanitizers: set SANITIZE to what -fsanitize takes.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) arch=$(uname -m) ;;
esac
into=${1:-$root/build/linux-$arch}
include=
for found in "$root/node_modules/node-linux-$arch/include/node" /usr/include/node /usr/local/include/node; do
  if [ -z "$include" ] && [ -f "$found/node_api.h" ]; then include=$found; fi
done
if [ -z "$include" ]; then
  echo "build.sh: no node_api.h; run npm ci first, or install the headers of Node" >&2
  exit 1
fi
compiler=${CC:-gcc}
if ! command -v "$compiler" >/dev/null; then
  echo "build.sh: no $compiler; install a C compiler (Debian: apt install gcc libc6-dev)" >&2
  exit 1
fi
mkdir -p "$into"

hash_of() { sha256sum "$1" | cut -d ' ' -f 1; }
warnings='-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter -Werror'
if [ -n "${SANITIZE:-}" ]; then
  flags="-O1 -g -fno-omit-frame-pointer -fsanitize=$SANITIZE -fno-sanitize-recover=all"
  link='' static=''
else
  flags='-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fvisibility=hidden'
  link='-s -Wl,--build-id=none -Wl,-z,relro,-z,now,-z,noexecstack' static='-static'
fi
here_is="-ffile-prefix-map=$here=."

# Written aside and renamed, so that a process which has the old one mapped keeps it.
# shellcheck disable=SC2086 # the flags are lists
build() { # name, output, extra flags
  "$compiler" $warnings $flags $here_is -DSOURCE_SHA256="\"$(hash_of "$here/$1.c")\"" $3 \
    "$here/$1.c" $link -o "$into/.$2.$$"
  mv "$into/.$2.$$" "$into/$2"
}
build piranha piranha.node "-shared -fPIC -isystem $include"
build spawner spawner "$static"
