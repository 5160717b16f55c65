# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The application under /opt/laevigata, laid out as Capistrano lays it out: releases, shared, and absolute
# links between them. Written straight into the file system of the host, running or not.

# app_deploy NAME RELEASE makes a new release and switches `current` to it. It touches no service.
app_deploy() {
  local name=$1 release=$2 app
  app=$(host_root "$name")/opt/laevigata
  [[ ! -e $app/releases/$release ]] || die "the release $release is there already on \"$name\""
  [[ -d $app ]] || app_skeleton "$app"
  app_release "$app/releases/$release" "$(fact "$name" image)"
  app_give "$app/releases/$release"
  ln -sfn "/opt/laevigata/releases/$release" "$app/current.new"
  app_give "$app/current.new"
  mv -T "$app/current.new" "$app/current"
}

# The files belong to deploy inside the host: by number, since this machine need not know that user.
app_give() { chown -h -R 1000:1000 "$1"; }

app_skeleton() {
  mkdir -p "$1"/releases "$1"/shared/{log,tmp,config}
  install -m 0644 "$HERE/app/config/sidekiq.yml" "$1/shared/config/sidekiq.yml"
  app_give "$1"
}

app_release() {
  local release=$1 image=$2
  mkdir -p "$release/config" "$release/bin"
  install -m 0644 "$HERE/app/Gemfile" "$HERE/app/app.rb" "$image/Gemfile.lock" "$release/"
  install -m 0755 "$HERE/app/bin/push" "$release/bin/push"
  ln -s /opt/laevigata/shared/config/sidekiq.yml "$release/config/sidekiq.yml"
  ln -s /opt/laevigata/shared/log "$release/log"
  ln -s /opt/laevigata/shared/tmp "$release/tmp"
}
