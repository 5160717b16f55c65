# SPDX-License-Identifier: GPL-3.0-or-later
set :application, "laevigata"
set :repo_url, "/home/deploy/laevigata.git"
set :deploy_to, "/opt/laevigata"
set :branch, "main"
append :linked_dirs, "log", "tmp"

# For the tests of what goes wrong: a command for the host, half-way, before the new release becomes the current one.
after "deploy:updated", :half_way do
  on(roles(:app)) { execute ENV["HALF_WAY"] } if ENV["HALF_WAY"]
end
