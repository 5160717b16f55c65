# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The releases that hosts can have, and what debootstrap has to be told of each: it knows the archive of every release, but a Debian
# that is older than a release does not know that release's name.

# Name, system, whether /bin and its kin are links into /usr (yes, no, or as debootstrap does it by itself), and packages that such a
# system has by default and the minimal one has not.
RELEASES=(
  'bullseye|Debian 11|-'
  'bookworm|Debian 12|-'
  'trixie|Debian 13|-'
  'forky|Debian 14 (testing)|-'
  'xenial|Ubuntu 16.04|no'
  'bionic|Ubuntu 18.04|no'
  'focal|Ubuntu 20.04|yes'
  'jammy|Ubuntu 22.04|yes'
  'noble|Ubuntu 24.04|yes'
  'resolute|Ubuntu 26.04|yes|sudo-rs'
)

# suite_field SUITE NUMBER prints that column, nothing if there is no such suite.
suite_field() {
  local row
  for row in "${RELEASES[@]}"; do
    [[ ${row%%|*} != "$1" ]] || cut -d '|' -f "$2" <<<"$row"
  done
}

# suite_extras SUITE EXTRAS: the packages that were asked for, separated by commas, and those of the suite.
suite_extras() {
  local own
  own=$(suite_field "$1" 4)
  printf '%s\n' "$2${2:+${own:+,}}$own"
}

suite_system() { suite_field "$1" 2; }

# debian or ubuntu
suite_family() { suite_system "$1" | tr '[:upper:]' '[:lower:]' | cut -d ' ' -f 1; }

suite_check() {
  [[ -n $(suite_field "$1" 1) ]] || die "\"$1\" cannot be a --suite; \`machine systems\` shows those that can"
}

# The options of debootstrap for a suite, one a line. Its release file must be signed by a key of the distribution: without the keyring,
# debootstrap would warn and check nothing.
suite_options() {
  local keyring
  keyring=$(suite_keyring "$1") || return
  printf '%s\n' --variant=minbase --force-check-gpg --keyring="$keyring"
  case $(suite_field "$1" 3) in
    yes) printf '%s\n' --merged-usr ;;
    no) printf '%s\n' --no-merged-usr ;;
  esac
  [[ $(suite_family "$1") != ubuntu ]] || printf '%s\n' --components=main,universe
}

# The keyring of a suite's distribution: a package's, or what setup has taken out of one.
suite_keyring() {
  local family name keyring
  family=$(suite_family "$1")
  name=$family-archive-keyring.gpg
  for keyring in "/usr/share/keyrings/$name" "$STATE/keyrings/$name"; do
    [[ ! -s $keyring ]] || {
      printf '%s\n' "$keyring"
      return
    }
  done
  die "the keyring that $(suite_system "$1") is signed with is missing ($name), and nothing is installed unchecked;" \
    "\`machine setup $family\` gets it"
}

# What debootstrap does with a suite that it does not know by name: what it does with the others of that family.
suite_script() {
  local scripts=${DEBOOTSTRAP_DIR:-/usr/share/debootstrap}/scripts
  if [[ -e $scripts/$1 ]]; then
    printf '%s\n' "$1"
  elif [[ $(suite_family "$1") == ubuntu ]]; then
    printf 'gutsy\n'
  else
    printf 'sid\n'
  fi
}

# suite_obstacle SUITE MIRROR prints why no image of this suite can be made here, nothing if one can. debootstrap itself tries it: it
# fetches the release file, checks its signature, and works out which packages it would install. A MIRROR may be empty.
suite_obstacle() {
  local suite=$1 mirror=$2 target options log status=0
  options=$(suite_options "$suite" 2>&1) || {
    printf '%s\n' "${options#machine: }"
    return
  }
  target=$(mktemp -d)
  mirror_proxy
  # shellcheck disable=SC2086 # one word per option
  log=$(debootstrap $options --print-debs "$suite" "$target/root" "$mirror" "$(suite_script "$suite")" 2>&1 >/dev/null) || status=$?
  rm -rf "$target"
  [[ $status -eq 0 ]] || printf 'debootstrap: %s\n' "$(grep -m 1 '^E: ' <<<"$log" || tail -n 1 <<<"$log")"
}
