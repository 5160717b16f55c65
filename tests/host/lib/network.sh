# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Network: each host has a network namespace of its own, joined to this machine by one veth pair.
#
# The namespace belongs to this machine and not to the container, so address and routes are still there
# after the host has rebooted itself. Host number N has the address PREFIX.N.2, this machine is PREFIX.N.1
# on that link. Hosts reach this machine, and nothing else.

# The first of these that no existing route touches is used, for as long as there are hosts.
NETWORK_CANDIDATES=(10.213 10.147 172.29 192.168)

network_prefix() {
  local prefix
  if [[ -n ${SIDEKIQ_HOSTS_NET:-} ]]; then
    printf '%s' "$SIDEKIQ_HOSTS_NET"
    return
  fi
  for prefix in "${NETWORK_CANDIDATES[@]}"; do
    network_is_free "$prefix" && printf '%s' "$prefix" && return
  done
  die "every private range tried is in use here; name a free /16 as SIDEKIQ_HOSTS_NET=10.77"
}

# Routes to our own links do not count.
network_is_free() {
  local routes
  routes=$({
    ip -4 route show root "$1.0.0/16"
    ip -4 route show match "$1.0.0/16"
  } | grep -vE '^default| dev skq[0-9]+ ' || true)
  [[ -z $routes ]]
}

# network_allocate NAME takes the first free number. Making the veth pair is what claims it: the kernel
# refuses a second interface of that name, so no two hosts get the same number, whoever makes them.
network_allocate() {
  local name=$1 prefix number
  prefix=$(network_prefix)
  network_namespace "$name"
  for number in {1..250}; do
    if network_link "$name" "$number" 2>/dev/null; then
      set_fact "$name" number "$number"
      set_fact "$name" prefix "$prefix"
      set_fact "$name" address "$prefix.$number.2"
      return
    fi
  done
  die "all 250 addresses are in use; destroy some hosts"
}

# network_up NAME does nothing when all is there; after a reboot of this machine it makes it anew.
network_up() {
  local name=$1 number prefix
  number=$(fact "$name" number)
  prefix=$(fact "$name" prefix)
  network_namespace "$name"
  [[ -d /sys/class/net/skq$number ]] || network_link "$name" "$number"
  ip addr replace "$prefix.$number.1/30" dev "skq$number"
  ip link set "skq$number" up
  ip -n "sidekiq-$name" addr replace "$prefix.$number.2/30" dev host0
  ip -n "sidekiq-$name" link set lo up
  ip -n "sidekiq-$name" link set host0 up
  ip -n "sidekiq-$name" route replace default via "$prefix.$number.1"
}

network_namespace() {
  [[ -e /run/netns/sidekiq-$1 ]] || ip netns add "sidekiq-$1"
}

network_link() {
  ip link add "skq$2" type veth peer name host0 netns "sidekiq-$1"
}

network_down() {
  local number
  number=$(fact "$1" number)
  [[ -z $number || ! -d /sys/class/net/skq$number ]] || ip link del "skq$number"
  [[ ! -e /run/netns/sidekiq-$1 ]] || ip netns del "sidekiq-$1"
}
