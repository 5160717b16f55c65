# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What every part of `machine` uses: messages, the state directory, and the checks on names.

# The state directory holds what is slow to make (images) and the ssh keys, for all checkouts on this machine, and one directory per
# checkout with its hosts. No command but `list --all` sees those of another checkout.
STATE=$(readlink -m "${SIDEKIQ_HOSTS_DIR:-/var/cache/ansible-sidekiq-hosts}")
CHECKOUT=$(readlink -f "$HERE/../..")
# What is named for the whole of this machine (a container, its cgroup, its network namespace) carries this.
CHECKOUT_ID=$(printf '%s\n%s\n' "$CHECKOUT" "$STATE" | sha256sum | cut -c 1-6)
HOSTS=$STATE/checkouts/$CHECKOUT_ID/hosts

say() { printf 'machine: %s\n' "$*" >&2; }

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
    die "this machine lacks ${missing[*]}; run tests/machines/setup first, it installs what is needed"
}

# A host name becomes a machine name, a host name and a directory, so it has to be plain in all three.
check_name() {
  [[ $1 =~ ^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$ ]] ||
    die "\"$1\" cannot be a host name: use lower-case letters, digits and dashes, starting with a letter, at most 40"
}

host_dir() { printf '%s/%s' "$HOSTS" "$1"; }
host_root() { printf '%s/%s/root' "$HOSTS" "$1"; }

# The name of a host that no other checkout has, for what this machine knows only once.
host_id() { printf '%s-%s' "$1" "$CHECKOUT_ID"; }

host_exists() { [[ -d $(host_dir "$1") ]]; }

require_host() {
  check_name "$1"
  host_exists "$1" || die "there is no host \"$1\"; \`machine list\` shows what there is"
}

host_names() {
  local dir
  for dir in "$HOSTS"/*/; do
    [[ -d $dir ]] && basename "$dir"
  done
  return 0
}

# What was decided when the host was made (suite, image, address …) is one small file per fact.
fact() { cat "$(host_dir "$1")/$2" 2>/dev/null || true; }
set_fact() { printf '%s\n' "$3" >"$(host_dir "$1")/$2"; }

# write_whole FILE makes FILE what is on standard input, at once and only if it differs: whoever reads it meanwhile sees all of the old
# or all of the new.
write_whole() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$1"; then
    rm -f "$new"
  else
    chmod 0644 "$new"
    mv -f "$new" "$1"
  fi
}

# one_at_a_time COMMAND... keeps apart what two of these programs must not do at the same time on one machine, for whichever checkout.
one_at_a_time() {
  (
    flock 9
    "$@"
  ) 9>/run/lock/sidekiq-hosts
}
