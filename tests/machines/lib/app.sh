# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The application under /opt/laevigata, laid out as Capistrano lays it out: releases, shared, and absolute
# links between them. Written straight into the file system of the host, running or not.
#
# There are two: `plain`, one file of Ruby, and `rails`, a Rails application with jobs by ActiveJob and a database.

APPS=(plain rails)

app_check() {
  [[ " ${APPS[*]} " == *" $1 "* ]] || die "\"$1\" cannot be an --app: there are ${APPS[*]}"
}

# app_extras APP EXTRAS: the packages that were asked for, separated by commas, and those of the application.
app_extras() {
  if [[ $1 == rails ]]; then
    printf '%s\n' "$2${2:+,}ruby-rails,ruby-sqlite3"
  else
    printf '%s\n' "$2"
  fi
}

# app_deploy NAME RELEASE makes a new release and switches `current` to it. It touches no service.
app_deploy() {
  local name=$1 release=$2 app kind
  app=$(host_root "$name")/opt/laevigata
  kind=$(fact "$name" app)
  kind=${kind:-plain}
  [[ ! -e $app/releases/$release ]] || die "the release $release is there already on \"$name\""
  [[ -d $app ]] || "app_skeleton_$kind" "$app"
  "app_release_$kind" "$app/releases/$release" "$name"
  app_give "$app/releases/$release"
  ln -sfn "/opt/laevigata/releases/$release" "$app/current.new"
  app_give "$app/current.new"
  mv -T "$app/current.new" "$app/current"
}

# The files belong to deploy inside the host: by number, since this machine need not know that user.
app_give() { chown -h -R 1000:1000 "$1"; }

app_skeleton_plain() {
  mkdir -p "$1"/releases "$1"/shared/{log,tmp,config}
  install -m 0644 "$HERE/app/config/sidekiq.yml" "$1/shared/config/sidekiq.yml"
  app_give "$1"
}

app_release_plain() {
  local release=$1 image
  image=$(fact "$2" image)
  mkdir -p "$release/config" "$release/bin"
  install -m 0644 "$HERE/app/Gemfile" "$HERE/app/app.rb" "$image/Gemfile.lock" "$release/"
  install -m 0755 "$HERE/app/bin/push" "$release/bin/push"
  app_link "$release"
}

# What Capistrano's linked_files and linked_dirs are.
app_link() {
  ln -sfn /opt/laevigata/shared/config/sidekiq.yml "$1/config/sidekiq.yml"
  ln -s /opt/laevigata/shared/log "$1/log"
  ln -s /opt/laevigata/shared/tmp "$1/tmp"
}

app_skeleton_rails() {
  mkdir -p "$1"/releases "$1"/shared/{log,tmp,config,db,storage}
  install -m 0644 "$HERE/app-rails/config/sidekiq.yml" "$1/shared/config/sidekiq.yml"
  app_give "$1"
}

# What Capistrano does for Rails: the gems, and the migrations. Nothing is encrypted with the secret that Rails wants for these.
app_release_rails() {
  local release=$1 name=$2
  mkdir -p "$release"
  cp -R "$HERE/app-rails/." "$release"
  app_link "$release"
  app_give "$release"
  app_as_deploy "$name" "$release" 'bundle lock --local >/dev/null && SECRET_KEY_BASE=none bundle exec rake --quiet db:migrate >/dev/null'
}

# app_as_deploy NAME RELEASE SCRIPT runs a shell script as the deploy user in the file system of the host, which need not run.
app_as_deploy() {
  local root
  root=$(host_root "$1")
  chroot --userspec=1000:1000 "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/deploy LANG=C.UTF-8 RAILS_ENV=production \
    /bin/sh -c "cd '${2#"$root"}' && $3"
}
