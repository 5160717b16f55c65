# SPDX-License-Identifier: GPL-3.0-or-later
# Stands in for the gem capistrano-sidekiq 2.3, which no package here brings: its settings, its tasks with the commands they run, and its
# hooks. Left out is how it writes its unit.
require "capistrano/plugin"

module Capistrano
  class Sidekiq < Capistrano::Plugin
    def set_defaults
      set_if_empty :sidekiq_default_hooks, true
      set_if_empty :sidekiq_roles, fetch(:sidekiq_role, :app)
    end

    def define_tasks
      before("deploy:starting", "deploy:check_sidekiq_hooks") { invoke "sidekiq:add_default_hooks" if fetch(:sidekiq_default_hooks) }

      task "sidekiq:add_default_hooks" do
        after "deploy:starting", "sidekiq:quiet"
        after "deploy:updated", "sidekiq:stop"
        after "deploy:published", "sidekiq:start"
        after "deploy:failed", "sidekiq:restart"
      end
    end
  end

  class Sidekiq::Systemd < Capistrano::Plugin
    def set_defaults
      set_if_empty :sidekiq_service_unit_name, "sidekiq"
      set_if_empty :sidekiq_service_unit_user, :user
    end

    def define_tasks
      { start: %i[start], stop: %i[stop], status: %i[status], quiet: %i[kill -s TSTP], restart: %i[stop start], install: %i[enable] }.each do |name, verbs|
        desc "By capistrano-sidekiq 2.3"
        task("sidekiq:#{name}") { on(roles(fetch(:sidekiq_roles))) { |_host| Systemd.run(self, name == :quiet ? [verbs] : verbs) } }
      end
    end

    # Whatever becomes of the command.
    def self.run(ssh, commands)
      systemctl = fetch(:sidekiq_service_unit_user) == :system ? %i[sudo systemctl] : %i[systemctl --user]
      commands.each { |verb| ssh.execute(*systemctl, *verb, fetch(:sidekiq_service_unit_name), raise_on_non_zero_exit: false) }
    end
  end
end
