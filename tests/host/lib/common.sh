# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What every part of `host` uses: messages, the state directory, and the checks on names.

# The state directory holds what is slow to make (images), the ssh key, and one directory per host.
STATE=${SIDEKIQ_HOSTS_DIR:-/var/cache/ansible-sidekiq-hosts}

say() { printf 'host: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Every command that changes something needs root, for mounts, namespaces and chroot.
require_root() {
  [[ $EUID -eq 0 ]] || die "this command needs root; run it with sudo"
}

require_commands() {
  local command missing=()
  for command in "$@"; do
    command -v "$command" >/dev/null || missing+=("$command")
  done
  [[ ${#missing[@]} -eq 0 ]] ||
    die "this machine lacks ${missing[*]}; run tests/host/setup first, it installs what is needed"
}

# A host name becomes a machine name, a host name and a directory, so it has to be plain in all three.
check_name() {
  [[ $1 =~ ^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$ ]] ||
    die "\"$1\" cannot be a host name: use lower-case letters, digits and dashes, starting with a letter, at most 40"
}

host_dir() { printf '%s/hosts/%s' "$STATE" "$1"; }
host_root() { printf '%s/hosts/%s/root' "$STATE" "$1"; }

host_exists() { [[ -d $(host_dir "$1") ]]; }

require_host() {
  check_name "$1"
  host_exists "$1" || die "there is no host \"$1\"; \`host list\` shows what there is"
}

host_names() {
  local dir
  for dir in "$STATE"/hosts/*/; do
    [[ -d $dir ]] && basename "$dir"
  done
  return 0
}

# What was decided when the host was made (suite, image, address …) is one small file per fact.
fact() { cat "$(host_dir "$1")/$2" 2>/dev/null || true; }
set_fact() { printf '%s\n' "$3" >"$(host_dir "$1")/$2"; }
