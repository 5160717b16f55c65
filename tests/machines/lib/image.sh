# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The cache of images: each is a Debian or Ubuntu made as recipe.sh says, under a name that changes whenever that does.
#
# An image is a directory $STATE/images/KEY with rootfs/ (the file system) and Gemfile.lock (the
# application's, made with the gems of that release). It is built in a temporary directory and renamed
# at the end, so what has the final name is complete. Nothing is ever written to it afterwards.

# image_ensure SUITE MIRROR EXTRAS prints the directory of the image, and builds it when it is missing.
# MIRROR may be empty. EXTRAS is a list of packages separated by commas, possibly empty.
image_ensure() {
  local suite=$1 mirror=$2 extras=$3 base key
  extras=$(suite_extras "$suite" "$extras")
  base=$(image_key "$suite")
  image_build_once "$base" recipe_base "$suite" "$mirror"
  if [[ -z $extras ]]; then
    printf '%s\n' "$STATE/images/$base"
    return
  fi
  key=$(image_key_with "$base" "$extras")
  image_build_once "$key" recipe_extras "$STATE/images/$base" "$extras"
  printf '%s\n' "$STATE/images/$key"
}

image_key() {
  local digest
  digest=$({
    printf '%s\n' "${RECIPE_PACKAGES[@]}"
    cat "$HERE/lib/recipe.sh" "$HERE/image/customize" "$HERE/app/Gemfile"
  } | sha256sum | cut -c 1-12)
  printf '%s-%s' "$1" "$digest"
}

image_key_with() {
  local digest
  digest=$(tr ',' '\n' <<<"$2" | sort -u | sha256sum | cut -c 1-8)
  printf '%s+%s' "$1" "$digest"
}

# image_build_once KEY BUILDER... builds at most once, also when several hosts are created in parallel, by whichever checkout: the others
# wait for the lock and then find the image. Different images are built side by side, since one may wait for its archive for minutes.
image_build_once() {
  local key=$1 building status
  shift
  [[ -d $STATE/images/$key ]] && return
  mkdir -p "$STATE/images" "$STATE/locks"
  building=$STATE/images/.making-$key
  (
    flock -s 8
    flock 9
    [[ -d $STATE/images/$key ]] && exit 0
    image_discard "$building"
    mkdir "$building"
    # Not `if ! (…)`: bash would go on after an error inside a condition.
    set +e
    (set -e && "$@" "$building") >"$STATE/images/$key.log" 2>&1
    status=$?
    set -e
    if [[ $status -ne 0 ]]; then
      image_discard "$building"
      tail -n 20 "$STATE/images/$key.log" >&2
      die "cannot build the image $key; the whole log is $STATE/images/$key.log"
    fi
    # An older checkout, with another lock, may have built it meanwhile.
    mv -T "$building" "$STATE/images/$key" || image_discard "$building"
  ) 8>"$STATE/locks/making" 9>"$STATE/locks/image-$key"
}

# debootstrap leaves mounts behind when it is interrupted; nothing may be removed through them.
image_discard() {
  local point
  [[ -d $1 ]] || return 0
  awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r point; do
    umount -l "$point"
  done
  rm -rf --one-file-system "$1"
}
