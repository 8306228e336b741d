#!/bin/sh
# machine.sh NAME ROOT: boots the systemd below ROOT as process 1 of namespaces of its own, like a container; prints init's
# process id once it is about to start. Everything goes when standard input closes, however the other end came to close it.
# machine.sh try: exits 0 where this can be done; otherwise it says what is missing.
#
# It sees this machine's kernel, but none of its processes, devices, networks and mounts, and /sys and /proc/sys are read-only:
# systemd would set them. It has a cgroup of its own (version 2, whatever this machine uses), which systemd takes for the root.
# Rejected: systemd-nspawn (not on every machine, and it wants version 2 alone), a guest in QEMU (minutes without KVM).
# Source: https://systemd.io/CONTAINER_INTERFACE/
set -eu

everything='--cgroup --pid --fork --kill-child --mount --net --uts --ipc'

# In the namespaces: the tree as systemd expects to find it; then this process becomes systemd.
inside() {
  read -r pid _ </proc/self/stat # by the number of the outside
  cd "$1"
  umount mnt
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  mount -t tmpfs -o nosuid,mode=755 tmpfs dev
  mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mknod -m 666 dev/tty c 5 0
  ln -s /proc/self/fd dev/fd
  for device in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"; done
  pivot_root . .
  umount -l .
  echo "$pid"
  exec env -i container=piranha-test setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog \
    /lib/systemd/systemd --log-target=journal </dev/null >/dev/null 2>&1
}

# mounted WHERE: the whole tree of version 2, or what of it is ours.
mounted() { mount -t cgroup2 cgroup2 "$1" 2>/dev/null || { echo 'cannot mount cgroup2 (CAP_SYS_ADMIN, CONFIG_CGROUPS)'; exit 1; }; }

case ${1-} in
  try)
    # shellcheck disable=SC2086 # words
    unshare $everything sh -c 'mount -t proc proc /mnt && mount -t sysfs sysfs /mnt' 2>/dev/null ||
      { echo 'cannot make namespaces with /proc and /sys (unshare: cgroup, pid, mount, net, uts, ipc)'; exit 1; }
    exec unshare --mount "$0" try-cgroup
    ;;
  try-cgroup)
    mounted /mnt
    mkdir "/mnt/piranha-try.$$" 2>/dev/null || { echo 'cannot make a cgroup (cgroup2 is read-only)'; exit 1; }
    rmdir "/mnt/piranha-try.$$"
    ;;
  inside) inside "$2" ;;
  outside)
    name=$2 root=$3
    mount --bind "$root" "$root"
    mounted "$root/mnt"
    own=$root/mnt/$name
    mkdir "$own"
    # shellcheck disable=SC2086 # words
    sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec unshare "$@"' - "$own" $everything "$0" inside "$root" </dev/null &
    trap : HUP INT TERM
    cat >/dev/null || true
    kill -KILL $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    # What ran in it takes a moment to be gone.
    tries=50
    until find "$own" -depth -type d -exec rmdir {} + 2>/dev/null; do
      tries=$((tries - 1))
      [ $tries -gt 0 ] || { echo "machine.sh: the cgroup $name could not be removed" >&2; exit 1; }
      sleep 0.1
    done
    ;;
  *) exec unshare --mount "$0" outside "$@" ;;
esac
