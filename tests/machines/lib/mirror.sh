# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Where packages come from: the mirror, proxy and certificates this machine's own apt uses.

# mirror_default FAMILY prints the first mirror of debian or ubuntu in this machine's apt configuration, both forms of it: one-line
# (*.list) and deb822 (*.sources). Nothing where there is none: then debootstrap takes the distribution's own archive.
mirror_default() {
  local uri
  uri=$(mirror_uris | grep -E '^https?://' | grep -vE 'security' | grep -E "/$1/?\$" | head -n 1 || true)
  printf '%s\n' "${uri%/}"
}

mirror_uris() {
  local etc=${APT_ETC:-/etc/apt} uri
  { mirror_lines_oneline "$etc" && mirror_lines_deb822 "$etc"; } | while read -r uri; do
    # Debian's cloud images name a file that lists the mirrors instead of a mirror.
    if [[ $uri == mirror+file:* ]]; then
      grep -vE '^[[:space:]]*(#|$)' "${uri#mirror+file:}" | awk '{ print $1 }'
    else
      printf '%s\n' "$uri"
    fi
  done
}

mirror_lines_oneline() {
  cat "$1"/sources.list "$1"/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' || true
}

mirror_lines_deb822() {
  cat "$1"/sources.list.d/*.sources 2>/dev/null |
    awk 'tolower($1) == "uris:" { for (i = 2; i <= NF; i++) print $i }' || true
}

# debootstrap downloads with wget and knows only the environment, not apt's own proxy settings.
mirror_proxy() {
  local scheme proxy
  for scheme in http https; do
    proxy=$(apt-config dump "Acquire::${scheme}::Proxy" | sed -nE 's/^[^"]*"(.*)";$/\1/p' | head -n 1)
    [[ -z $proxy || $proxy == DIRECT ]] || export "${scheme}_proxy=$proxy"
  done
}
