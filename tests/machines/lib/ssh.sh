# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ssh: one key pair that every host accepts, and one host key that every host has.
#
# Both are made on this machine and never leave it. The shared host key lets a single known_hosts line
# stand for all hosts: no prompt, no warning, and nothing to keep in step.

ssh_key() { printf '%s/ssh/id_ed25519' "$STATE"; }

ssh_prepare() {
  mkdir -p "$STATE/ssh" "$STATE/locks"
  (
    flock 9
    ssh_keygen "$STATE/ssh/id_ed25519" sidekiq-test-hosts
    ssh_keygen "$STATE/ssh/host_ed25519" sidekiq-test-host
    printf '* %s\n' "$(cut -d ' ' -f 1,2 "$STATE/ssh/host_ed25519.pub")" | write_whole "$STATE/ssh/known_hosts"
    # Under sudo, the person who called it is the one who logs in.
    [[ -z ${SUDO_UID:-} ]] || chown "$SUDO_UID:${SUDO_GID:-0}" "$STATE"/ssh/id_ed25519*
  ) 9>"$STATE/locks/ssh"
}

ssh_keygen() {
  [[ -f $1 ]] || ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1"
}

# ssh_install ROOT puts the keys into the file system of a host that is not running yet.
ssh_install() {
  local root=$1 home
  install -m 0600 "$STATE/ssh/host_ed25519" "$root/etc/ssh/ssh_host_ed25519_key"
  install -m 0644 "$STATE/ssh/host_ed25519.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
  for home in root home/deploy home/admin; do
    install -d -m 0700 "$root/$home/.ssh"
    install -m 0600 "$STATE/ssh/id_ed25519.pub" "$root/$home/.ssh/authorized_keys"
  done
  chown -R 1000:1000 "$root/home/deploy/.ssh"
  chown -R 1001:1001 "$root/home/admin/.ssh"
}

ssh_config() {
  cat <<CONFIG
Host $1
  HostName $(fact "$1" address)
  User root
  IdentityFile $STATE/ssh/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $STATE/ssh/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
CONFIG
}

ssh_run() {
  local name=$1
  shift
  ssh -F "$(host_dir "$name")/ssh_config" "$name" "$@"
}

# ssh_try is for waiting: quick to give up, and silent.
ssh_try() {
  local name=$1
  shift
  ssh -F "$(host_dir "$name")/ssh_config" -o BatchMode=yes -o ConnectTimeout=2 "$name" "$@" 2>/dev/null </dev/null
}

ssh_inventory() {
  local name
  printf 'all:\n  hosts:\n'
  for name in "$@"; do
    cat <<INVENTORY
    $name:
      ansible_host: $(fact "$name" address)
      ansible_user: root
      ansible_ssh_private_key_file: $STATE/ssh/id_ed25519
      ansible_ssh_common_args: >-
        -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes
        -o UserKnownHostsFile=$STATE/ssh/known_hosts
INVENTORY
  done
}
