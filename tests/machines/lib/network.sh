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

# network_allocate NAME takes the next number that is free. Making the veth pair is what claims it: the kernel
# refuses a second interface of that name, so no two hosts get the same number, whoever makes them. The next
# and not the lowest: an ssh that still keeps a connection to a host that is gone must not meet another at its address.
network_allocate() {
  local name=$1 prefix number
  prefix=$(network_prefix)
  network_namespace "$name"
  for _ in {1..250}; do
    number=$(one_at_a_time network_next)
    # A host that is switched off keeps its number.
    ! grep -qsx "$number" "$STATE"/checkouts/*/hosts/*/number || continue
    if network_link "$name" "$number" 2>/dev/null; then
      set_fact "$name" number "$number"
      set_fact "$name" prefix "$prefix"
      set_fact "$name" address "$prefix.$number.2"
      return
    fi
  done
  die "all 250 addresses are in use; destroy some hosts"
}

# The numbers 1 to 250 in turns, for all checkouts.
network_next() {
  local last
  last=$(cat /run/sidekiq-hosts.number 2>/dev/null || echo 0)
  printf '%s\n' $((last % 250 + 1)) | tee /run/sidekiq-hosts.number
}

# network_up NAME does nothing when all is there; after a reboot of this machine it makes it anew.
network_up() {
  local name=$1 number prefix namespace
  number=$(fact "$name" number)
  prefix=$(fact "$name" prefix)
  namespace=sidekiq-$(host_id "$name")
  network_namespace "$name"
  ip -n "$namespace" link show host0 >/dev/null 2>&1 || network_link "$name" "$number"
  ip addr replace "$prefix.$number.1/30" dev "skq$number"
  ip link set "skq$number" up
  ip -n "$namespace" addr replace "$prefix.$number.2/30" dev host0
  ip -n "$namespace" link set lo up
  ip -n "$namespace" link set host0 up
  ip -n "$namespace" route replace default via "$prefix.$number.1"
}

# One at a time: the first two of a machine would both mount /run/netns, and one would hide what the other has made there.
network_namespace() {
  local namespace
  namespace=sidekiq-$(host_id "$1")
  [[ -e /run/netns/$namespace ]] || one_at_a_time ip netns add "$namespace"
}

network_link() {
  ip link add "skq$2" type veth peer name host0 netns "sidekiq-$(host_id "$1")"
}

network_down() {
  local number namespace
  number=$(fact "$1" number)
  namespace=sidekiq-$(host_id "$1")
  [[ -z $number || ! -d /sys/class/net/skq$number ]] || ip link del "skq$number"
  [[ ! -e /run/netns/$namespace ]] || ip netns del "$namespace"
}
