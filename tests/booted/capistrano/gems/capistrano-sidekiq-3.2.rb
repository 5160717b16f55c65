# SPDX-License-Identifier: GPL-3.0-or-later
# Stands in for the gem capistrano-sidekiq 3.2, which no package here brings: its settings, its tasks with the commands they run, and its
# hooks. Left out is how it writes its units.
require "capistrano/plugin"

module Capistrano
  class Sidekiq < Capistrano::Plugin
    def set_defaults
      set_if_empty :sidekiq_default_hooks, true
      set_if_empty :sidekiq_roles, fetch(:sidekiq_role, :worker)
      set_if_empty :sidekiq_config_files, ["sidekiq.yml"]
    end

    def define_tasks
      before("deploy:starting", "deploy:check_sidekiq_hooks") { invoke "sidekiq:add_default_hooks" if fetch(:sidekiq_default_hooks) }

      task "sidekiq:add_default_hooks" do
        after "deploy:starting", "sidekiq:quiet"
        after "deploy:updated", "sidekiq:stop"
        after "deploy:reverted", "sidekiq:stop"
        after "deploy:published", "sidekiq:start"
        after "deploy:published", "sidekiq:mark_deploy" if fetch(:sidekiq_mark_deploy, false)
        after "deploy:failed", "sidekiq:restart"
      end

      desc "Tell Sidekiq's metrics of the deploy"
      task "sidekiq:mark_deploy" do
        on(roles(fetch(:sidekiq_roles))) do
          within(current_path) do
            script = "require 'sidekiq/deploy'; Sidekiq::Deploy.mark!(ARGV[0])"
            execute :bundle, :exec, :ruby, "-e", script.shellescape, "--", fetch(:sidekiq_deploy_label).shellescape
          end
        end
      end
    end
  end

  class Sidekiq::Systemd < Capistrano::Plugin
    COMMANDS = { start: "start", stop: "stop", status: "status", restart: "restart", quiet: "kill -s TSTP", enable: "enable", disable: "disable" }.freeze

    def set_defaults
      set_if_empty :systemctl_bin, "/bin/systemctl"
      set_if_empty :service_unit_user, :user
      set_if_empty :sidekiq_systemctl_bin, -> { fetch(:systemctl_bin) }
      set_if_empty :sidekiq_systemctl_user, -> { fetch(:service_unit_user) }
      set_if_empty :sidekiq_service_unit_name, -> { "#{fetch(:application)}_sidekiq_#{fetch(:stage)}" }
      set_if_empty :sidekiq_mark_deploy, false
      set_if_empty :sidekiq_deploy_label, nil
    end

    def define_tasks
      COMMANDS.each do |name, command|
        desc "By capistrano-sidekiq 3.2"
        task("sidekiq:#{name}") { on(roles(fetch(:sidekiq_roles))) { |host| Systemd.run(self, host, command) } }
      end
      desc "By capistrano-sidekiq 3.2"
      task("sidekiq:install") { invoke "sidekiq:enable" }
      desc "By capistrano-sidekiq 3.2"
      task("sidekiq:uninstall") { invoke "sidekiq:disable" }
    end

    # A service for each of Sidekiq's configuration files. Its name is without .service for a signal.
    def self.run(ssh, host, command)
      (host.properties.fetch(:sidekiq_config_files) || fetch(:sidekiq_config_files)).each do |file|
        name = [fetch(:sidekiq_service_unit_name), *(File.basename(file, ".*") unless file == "sidekiq.yml")].join(".")
        name += ".service" unless command.start_with?("kill")
        system = fetch(:sidekiq_systemctl_user) == :system
        ssh.execute(*(system ? [:sudo] : []), "#{fetch(:sidekiq_systemctl_bin)} #{'--user ' unless system}#{command} #{name}")
      end
    end
  end
end
