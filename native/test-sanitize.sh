#!/bin/sh
# The C of this project under AddressSanitizer, UndefinedBehaviourSanitizer and LeakSanitizer.
#
# The tests of src/ports run again on sanitized builds; watches and workers come and go; 100,000
# calls of every function must not make memory grow; the spawner's parser gets a million damaged
# requests. And because a sanitizer that is not really there reports nothing either, mistakes are
# put into copies of the source, each of which must be found. Prints TAP; the last line holds the
# counts.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
node="$root/node_modules/.bin/node --disable-warning=ExperimentalWarning"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP
tests=0 passed=0 failed=0 skipped=0

finish() {
  echo "1..$tests"
  echo "# tests $tests pass $passed fail $failed skipped $skipped"
  [ "$failed" -eq 0 ]
  exit
}

skip_all() {
  tests=1 skipped=1
  echo "ok 1 - the C sources under the sanitizers # SKIP $1"
  finish
}

# verdict STATUS NAME: one test, with what $work/log says when it failed
verdict() {
  tests=$((tests + 1))
  if [ "$1" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok $tests - $2"
  else
    failed=$((failed + 1))
    echo "not ok $tests - $2"
    echo '  ---'
    tail -n 40 "$work/log" | sed 's/^/  /'
    echo '  ...'
  fi
}

# run NAME COMMAND...: passes with status 0
run() {
  name=$1
  shift
  timeout 60 "$@" >"$work/log" 2>&1
  verdict $? "$name"
}

# finds NAME PATTERN COMMAND...: passes when the command fails and says PATTERN, or dies of a signal
finds() {
  name=$1 pattern=$2
  shift 2
  timeout 60 "$@" >"$work/log" 2>&1
  status=$?
  if [ $status -ge 128 ]; then
    verdict 0 "$name"
  else
    [ $status -ne 0 ] && grep -q "$pattern" "$work/log"
    verdict $? "$name"
  fi
}

# suite NAME COMMAND...: a file of node:test; its counts are added to ours, its failures shown
suite() {
  name=$1
  shift
  timeout 60 "$@" >"$work/log" 2>&1
  status=$?
  count() { sed -n "s/^# $1 \([0-9]*\)\$/\1/p" "$work/log" | tail -n 1; }
  ran=$(count tests) good=$(count pass) left=$(count skipped)
  # Reports of a sanitizer fail the suite whatever the tests themselves say.
  if [ "$status" -eq 0 ] && [ "${ran:-0}" -gt 0 ] && ! grep -q 'ERROR: .*Sanitizer\|runtime error:' "$work/log"; then
    tests=$((tests + ran)) passed=$((passed + good)) skipped=$((skipped + left))
    echo "# $name: $good passed, $left skipped"
    grep '^ok .* # SKIP' "$work/log"
  else
    verdict 1 "$name"
  fi
}

command -v gcc >/dev/null || skip_all 'no C compiler (Debian: apt-get install gcc libc6-dev)'
asan=$(gcc -print-file-name=libasan.so)
[ -f "$asan" ] || skip_all 'the compiler has no AddressSanitizer'

# build DIRECTORY SANITIZERS [SED-SCRIPT]: builds a copy of the sources into DIRECTORY
build() {
  mkdir -p "$1/native"
  ln -sfn "$root/node_modules" "$1/node_modules"
  cp "$here/piranha.c" "$here/spawner.c" "$here/spawner-fuzz.c" "$here/build.sh" "$1/native/"
  if [ $# -gt 2 ]; then
    sed -i "$3" "$1/native/piranha.c" "$1/native/spawner.c"
    if cmp -s "$1/native/piranha.c" "$here/piranha.c" && cmp -s "$1/native/spawner.c" "$here/spawner.c"; then
      echo "the mistake is not in the source any more: $3" >"$work/log"
      return 1
    fi
  fi
  SANITIZE=$2 "$1/native/build.sh" "$1" >"$work/log" 2>&1 || return
  # shellcheck disable=SC2086 # an empty list of flags is none
  gcc -std=gnu11 -g -O1 ${2:+-fsanitize=$2 -fno-sanitize-recover=all} -Wall -Wextra -Wno-unused-function \
    -DSOURCE_SHA256='""' "$1/native/spawner-fuzz.c" -o "$1/spawner-fuzz" >>"$work/log" 2>&1
}

# Node itself never gives back one small table of OpenSSL.
echo 'leak:CRYPTO_malloc' >"$work/suppressions"
export LSAN_OPTIONS="suppressions=$work/suppressions:print_suppressions=0"
without_leaks='env ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0'
sanitized="$without_leaks LD_PRELOAD=$asan PIRANHA_NATIVE_DIRECTORY=$work/good"
with_leaks="env ASAN_OPTIONS=detect_leaks=1:exitcode=23 LD_PRELOAD=$asan"

build "$work/good" address,undefined
verdict $? 'the sources build with the sanitizers without a warning'

# shellcheck disable=SC2086 # lists of words
{
  for file in native poller udp notify netlink-socket; do
    suite "$file.test.ts on the sanitized addon" $sanitized $node --test-reporter=tap "$root/src/ports/$file.test.ts"
  done
  suite 'spawner.test.ts on the sanitized spawner' $without_leaks PIRANHA_NATIVE_DIRECTORY="$work/good" \
    $node --test-reporter=tap "$root/src/ports/spawner.test.ts"
  run 'watches and workers come and go without a leak' \
    $with_leaks $node --expose-gc "$here/soak.ts" "$work/good/piranha.node" watches
  run 'a million damaged requests do the spawner no harm' "$work/good/spawner-fuzz" 1000000 "${SEED:-1}"

  build "$work/plain" ''
  verdict $? 'the sources build without the sanitizers'
  growth="$node --expose-gc --max-semi-space-size=1 $here/soak.ts"
  run '100,000 calls of every function do not make memory grow' $growth "$work/plain/piranha.node" growth

  soak="$with_leaks $node --expose-gc $here/soak.ts"
  build "$work/leak" address 's/if (--watch->owners == 0) free(watch);/watch->owners--;/' &&
    finds 'a watch that is never freed is found' 'watch_open' $soak "$work/leak/piranha.node" watches ||
    verdict 1 'a watch that is never freed is built'
  build "$work/early" address 's/watch->owners = 2;/watch->owners = 1;/' &&
    finds 'a watch freed too early is found' 'heap-use-after-free' $soak "$work/early/piranha.node" watches ||
    verdict 1 'a watch freed too early is built'
  build "$work/open" address 's/napi_add_async_cleanup_hook(env, watch_environment_ends, [^)]*) == napi_ok/(sizeof \&watch_environment_ends > 0)/' &&
    finds 'a watch left open by a worker is found' 'ERROR' $soak "$work/open/piranha.node" watches ||
    verdict 1 'a watch left open by a worker is built'
  build "$work/over" address 's/if (length - offset - sizeof size < size)/if (length - offset < size)/' &&
    finds 'an argument read beyond its request is found' 'heap-buffer-overflow' "$work/over/spawner-fuzz" 1000000 1 ||
    verdict 1 'an argument read beyond its request is built'
}
finish
