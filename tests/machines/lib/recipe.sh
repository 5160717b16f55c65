# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The recipe of an image: the minimal system of a Debian or Ubuntu, the packages below, and image/customize run inside it.
# A change to this file, to image/customize or to the application's Gemfile makes new images.

# What every host has. No Python: the collection must work without it.
RECIPE_PACKAGES=(
  systemd systemd-sysv dbus libpam-systemd sudo openssh-server iproute2 procps less acl strace
  ca-certificates logrotate ruby-sidekiq bundler redis-server
)

recipe_base() {
  local suite=$1 mirror=$2 building=$3 rootfs=$3/rootfs options
  options=$(suite_options "$suite")
  recipe_say "building the image for $(suite_system "$suite") from ${mirror:-the archive of the distribution} (1 to 3 minutes, once)"
  mirror_proxy
  # shellcheck disable=SC2086 # one word per option
  debootstrap $options --include="$(IFS=, && printf '%s' "${RECIPE_PACKAGES[*]}")" \
    "$suite" "$rootfs" "$mirror" "$(suite_script "$suite")"
  recipe_mount "$rootfs"
  install -m 0755 "$HERE/image/customize" "$rootfs/tmp/customize"
  install -D -m 0644 "$HERE/app/Gemfile" "$rootfs/tmp/app/Gemfile"
  recipe_chroot "$rootfs" /tmp/customize
  mv "$rootfs/tmp/app/Gemfile.lock" "$building/Gemfile.lock"
  rm -rf "$rootfs/tmp/customize" "$rootfs/tmp/app"
  recipe_umount "$rootfs"
}

recipe_extras() {
  local base=$1 extras=$2 building=$3 rootfs=$3/rootfs
  recipe_say "adding $extras to the image $(basename "$base") (some 20 seconds, once)"
  cp -a --reflink=auto "$base/." "$building/"
  mirror_proxy
  recipe_mount "$rootfs"
  cp /etc/resolv.conf "$rootfs/etc/resolv.conf"
  # A private mirror may have a certificate that only this machine knows.
  cp /etc/ssl/certs/ca-certificates.crt "$rootfs/tmp/ca.crt"
  recipe_apt "$rootfs" update
  # shellcheck disable=SC2086 # one word per package
  recipe_apt "$rootfs" install --yes --no-install-recommends ${extras//,/ }
  recipe_apt "$rootfs" clean
  rm -rf "$rootfs/tmp/ca.crt" "$rootfs/etc/resolv.conf" "$rootfs"/var/lib/apt/lists/*
  recipe_umount "$rootfs"
}

# Check-Valid-Until: the index of an archived suite has expired, which does not matter for a test host.
recipe_apt() {
  local rootfs=$1
  shift
  recipe_chroot "$rootfs" apt-get -q -o Acquire::https::CAInfo=/tmp/ca.crt \
    -o Acquire::Check-Valid-Until=false -o Dpkg::Options::=--force-unsafe-io "$@"
}

# policy-rc.d keeps packages from starting their services on this machine while they are installed.
recipe_mount() {
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 0755 "$1/usr/sbin/policy-rc.d"
  mount -t proc proc "$1/proc"
}

recipe_umount() {
  rm -f "$1/usr/sbin/policy-rc.d"
  ! mountpoint -q "$1/proc" || umount -l "$1/proc"
}

recipe_chroot() {
  local rootfs=$1
  shift
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} \
    ${https_proxy:+"https_proxy=$https_proxy"} chroot "$rootfs" "$@"
}

# Builders write to a log; what the user should see goes to the terminal, kept open as 3.
recipe_say() { say "$@" 2>&3; }
