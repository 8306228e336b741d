#!/bin/sh
# The C of this project under AddressSanitizer, UndefinedBehaviourSanitizer and LeakSanitizer.
#
# The tests of src/ports run again on sanitized builds; watches and workers come and go; 100,000
# calls of every function must not make memory grow; the spawner's parser gets a million damaged
# requests. And because a sanitizer that is not really there reports nothing either, mistakes are
# put into copies of the source, each of which must be found. Prints TAP; the last line holds the
# counts.
# shellcheck disable=SC2086 # commands are kept in variables, as lists of words
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
  if [ "$status" -eq 0 ] && [ "${ran:-0}" -gt 0 ] &&
    ! grep -q 'ERROR: .*Sanitizer\|runtime error:' "$work/log"; then
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
    if cmp -s "$1/native/piranha.c" "$here/piranha.c" &&
      cmp -s "$1/native/spawner.c" "$here/spawner.c"; then
      echo "the mistake is not in the source any more: $3" >"$work/log"
      return 1
    fi
  fi
  SANITIZE=$2 "$1/native/build.sh" "$1" >"$work/log" 2>&1 || return
  gcc -std=gnu11 -g -O1 ${2:+-fsanitize=$2 -fno-sanitize-recover=all} \
    -Wall -Wextra -Wno-unused-function -DSOURCE_SHA256='""' \
    "$1/native/spawner-fuzz.c" -o "$1/spawner-fuzz" >>"$work/log" 2>&1
}

# mistake NAME PATTERN PROGRAM SED-SCRIPT: a copy with this mistake in it must be found out
mistake() {
  if build "$work/bad" address "$4"; then
    case $3 in
      soak) finds "$1 is found" "$2" $soak "$work/bad/piranha.node" watches ;;
      fuzz) finds "$1 is found" "$2" "$work/bad/spawner-fuzz" 1000000 1 ;;
    esac
  else
    verdict 1 "$1 is built"
  fi
}

# Node itself never gives back one small table of OpenSSL.
echo 'leak:CRYPTO_malloc' >"$work/suppressions"
export LSAN_OPTIONS="suppressions=$work/suppressions:print_suppressions=0"
chosen="env ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"
chosen="$chosen PIRANHA_NATIVE_DIRECTORY=$work/good"
tap="$node --test-reporter=tap"
soak="env ASAN_OPTIONS=detect_leaks=1:exitcode=23 LD_PRELOAD=$asan"
soak="$soak $node --expose-gc $here/soak.ts"
growth="$node --expose-gc --max-semi-space-size=1 $here/soak.ts"

build "$work/good" address,undefined
verdict $? 'the sources build with the sanitizers without a warning'
for name in native poller udp notify netlink-socket; do
  file=$root/src/ports/$name.test.ts
  suite "$name.test.ts on the sanitized addon" $chosen LD_PRELOAD="$asan" $tap "$file"
done
suite 'spawner.slow.test.ts on the sanitized spawner' $chosen $tap "$root/src/ports/spawner.slow.test.ts"
run 'watches and workers come and go without a leak' $soak "$work/good/piranha.node" watches
run 'a million damaged requests do the spawner no harm' "$work/good/spawner-fuzz" 1000000 1

build "$work/plain" ''
verdict $? 'the sources build without the sanitizers'
run '100,000 calls of every function do not make memory grow' \
  $growth "$work/plain/piranha.node" growth

hook='napi_add_async_cleanup_hook(env, watch_environment_ends, [^)]*) == napi_ok'
mistake 'a watch that is never freed' 'watch_open' soak \
  's/if (--watch->owners == 0) free(watch);/watch->owners--;/'
mistake 'a watch freed too early' 'heap-use-after-free' soak \
  's/watch->owners = 2;/watch->owners = 1;/'
mistake 'a watch left open by a worker' 'ERROR' soak \
  "s/$hook/(sizeof \\&watch_environment_ends > 0)/"
mistake 'an argument read beyond its request' 'heap-buffer-overflow' fuzz \
  's/if (length - offset - sizeof size < size)/if (length - offset < size)/'
finish
