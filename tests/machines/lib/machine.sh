# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The running host: its file system, its systemd in a container, and waiting for it.

# machine_mount NAME gives the host a file system of its own: an overlay on the image, which costs nothing,
# or a copy where this machine has no overlay.
machine_mount() {
  local name=$1 dir image
  dir=$(host_dir "$name")
  image=$(fact "$name" image)
  mkdir -p "$dir"/{root,upper,work}
  [[ ! -e $dir/copied ]] || return 0
  ! mountpoint -q "$dir/root" || return 0
  mount -t overlay -o "lowerdir=$image/rootfs,upperdir=$dir/upper,workdir=$dir/work" \
    "sidekiq-$(host_id "$name")" "$dir/root" 2>/dev/null && return
  say "this machine has no overlay file system, copying the image instead (some 10 seconds)"
  cp -a --reflink=auto "$image/rootfs/." "$dir/root/"
  touch "$dir/copied"
}

machine_prepare() {
  local name=$1 root
  root=$(host_root "$name")
  printf '%s\n' "$name" >"$root/etc/hostname"
  # sudo complains about a host name that does not resolve.
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  ssh_install "$root"
}

# machine_start NAME starts the host's systemd in the background; see `supervise` for how.
machine_start() {
  local name=$1 dir id
  dir=$(host_dir "$name")
  id=$(host_id "$name")
  machine_mount "$name"
  network_up "$name"
  machine_inotify
  if machine_has_systemd; then
    systemd-run --quiet --unit="sidekiq-host-$id" --property=Delegate=yes --property=KillSignal=SIGKILL \
      --property=StandardOutput=append:"$dir/console.log" --property=StandardError=inherit \
      "$HERE/supervise" "$id" "$name" "$dir/root"
  else
    setsid "$HERE/supervise" "$id" "$name" "$dir/root" >>"$dir/console.log" 2>&1 </dev/null &
    # Or bash would report the end of it.
    disown
    machine_until 50 machine_is_up "$name" || true
  fi
}

# A host needs some ten inotify instances, and all hosts count as one user's: the kernel's default of 128
# is used up by a dozen hosts, and then services in them fail for no visible reason.
machine_inotify() {
  local limit=/proc/sys/fs/inotify/max_user_instances wanted=4096
  [[ $(<"$limit") -ge $wanted ]] && return
  say "raising fs.inotify.max_user_instances to $wanted, until the next boot of this machine"
  printf '%s' "$wanted" >"$limit"
}

machine_has_systemd() { [[ -d /run/systemd/system ]]; }

# The cgroup of a host on a machine without systemd, where nobody else makes one. See `supervise`.
machine_cgroup() {
  local top
  top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  printf '%s/sidekiq-hosts/%s' "$top" "$(host_id "$1")"
}

machine_is_up() {
  if machine_has_systemd; then
    systemctl --quiet is-active "sidekiq-host-$(host_id "$1")"
  else
    grep -qs 'populated 1' "$(machine_cgroup "$1")/cgroup.events"
  fi
}

# machine_kill NAME is a power cut: every process of the host ends at once, none is asked.
machine_kill() {
  if machine_has_systemd; then
    systemctl stop "sidekiq-host-$(host_id "$1")" 2>/dev/null || true
    systemctl reset-failed "sidekiq-host-$(host_id "$1")" 2>/dev/null || true
  else
    machine_kill_cgroup "$(machine_cgroup "$1")"
  fi
  machine_forget "$1"
}

machine_kill_cgroup() {
  [[ -d $1 ]] || return 0
  printf 1 >"$1/cgroup.kill"
  machine_until 100 cgroup_is_empty "$1" || die "cannot end the processes of $1"
  find "$1" -depth -type d -exec rmdir {} +
  # Where version 1 is mounted too, nspawn makes the same path in its systemd hierarchy. The directory above stays: another host may
  # just be about to make its own there.
  [[ ! -d /sys/fs/cgroup/systemd/sidekiq-hosts/${1##*/} ]] ||
    find "/sys/fs/cgroup/systemd/sidekiq-hosts/${1##*/}" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} + 2>/dev/null || true
}

# What nspawn leaves behind when it is killed. With its mount still there it refuses to start again.
machine_forget() {
  local run=/run/systemd/nspawn dir id
  id=$(host_id "$1")
  for dir in "$run/propagate/$id" "$run/unix-export/$id"; do
    ! mountpoint -q "$dir" || umount -l "$dir"
    rm -rf --one-file-system "$dir"
  done
  rm -f "$run/locks/inode-$(stat -c '%d:%i' "$(host_root "$1")" 2>/dev/null)"
}

cgroup_is_empty() { grep -q 'populated 0' "$1/cgroup.events"; }

# machine_until TENTHS COMMAND... tries until it succeeds, for so many tenths of a second between tries.
machine_until() {
  local left=$1
  shift
  until "$@"; do
    ((left-- > 0)) || return 1
    sleep 0.1
  done
}

# machine_wait NAME [OLD-BOOT] returns when systemd in the host says that it has finished booting; with
# OLD-BOOT, when it has booted again since.
machine_wait() {
  local name=$1 old=${2:-} running
  machine_until 600 machine_settled "$name" "$old" || true
  machine_booted "$name" "$old" || {
    tail -n 20 "$(host_dir "$name")/console.log" >&2
    die "\"$name\" is not up; \`machine list\` tells whether it runs, its console log is $(host_dir "$name")/console.log"
  }
  running=$(machine_finished "$name")
  [[ $running == running ]] || {
    say "\"$name\" is up, but systemd calls it \"$running\":"
    ssh_try "$name" systemctl --failed --no-legend >&2 || true
  }
}

# machine_finished NAME prints what systemd calls its state once it no longer is on its way. `is-system-running --wait` is newer than
# some of the systemds.
machine_finished() {
  # shellcheck disable=SC2016 # for the host to expand
  ssh_try "$1" 'until s=$(systemctl is-system-running) || [ "$s" != starting -a "$s" != initializing ]; do sleep 0.1; done; echo "$s"' || true
}

# There is no use in waiting for a host whose container has ended.
machine_settled() { machine_booted "$@" || ! machine_is_up "$1"; }

# A host that is just going down still answers, and is not meant.
machine_booted() {
  local boot
  boot=$(machine_boot_id "$1") && [[ -n $boot && $boot != "$2" ]] || return 1
  [[ $(ssh_try "$1" systemctl is-system-running || true) != stopping ]]
}

machine_boot_id() { ssh_try "$1" cat /proc/sys/kernel/random/boot_id; }

machine_reboot() {
  local name=$1 boot
  boot=$(machine_boot_id "$name") || die "\"$name\" does not answer; \`machine boot $name\` starts it"
  # ssh may see the connection end before the command does.
  ssh_try "$name" systemctl reboot || true
  machine_wait "$name" "$boot"
}

machine_remove() {
  local name=$1 dir
  dir=$(host_dir "$name")
  machine_kill "$name"
  network_down "$name"
  ! mountpoint -q "$dir/root" || umount "$dir/root" 2>/dev/null || umount -l "$dir/root"
  rm -rf --one-file-system "$dir"
}
