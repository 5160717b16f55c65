# frozen_string_literal: true

# SPDX-License-Identifier: GPL-3.0-or-later
# Written by the Ansible collection curationexperts.sidekiq: do not edit, the next copy replaces it. What there is to set is set in
# config/deploy.rb:
#
#   set :sidekiq_service, "sidekiq"   # the name of the service, as the role has it in sidekiq_name
#   set :sidekiq_roles, :app          # the servers that run it: a role or several
#   set :sidekiq_hooks, true          # false: the deploy does nothing to Sidekiq by itself
#
# The tasks run `sudo systemctl VERB SERVICE` as the user who deploys. Exactly these commands are what the role lets that user run as
# root without a password. capistrano-sidekiq may be loaded too: its tasks of the same names do nothing of their own any more.

# Sidekiq's service on one server.
class SidekiqService
  def initialize(ssh, host, name)
    @ssh = ssh
    @host = host
    @name = name.to_s.sub(/\.service\z/, "")
  end

  # systemctl start does nothing to a service that is active, and a quiet one is.
  def start
    quiet? ? restart : systemctl(:start)
  end

  def stop
    systemctl(:stop)
  end

  def restart
    systemctl(:restart)
  end

  # Before the first deploy there is nothing to quiet.
  def quiet
    return systemctl(:reload) if @ssh.test(:systemctl, "is-active", "--quiet", @name)

    @ssh.info "#{@name} is not running on #{@host}, so there is nothing to quiet"
  end

  def status
    puts "#{@host}:", report
  rescue SSHKit::Command::Failed
    explain(:status)
    raise
  end

  private

  def systemctl(verb)
    @ssh.execute :sudo, "-n", :systemctl, verb, @name
  rescue SSHKit::Command::Failed
    explain(verb)
    raise
  end

  # systemctl itself only names the commands that would tell why it did not work.
  def explain(verb)
    if @ssh.capture("systemctl show --property=LoadState #{@name}") == "LoadState=not-found"
      warn "#{@host} has no service #{@name}. The play with the role curationexperts.sidekiq.sidekiq makes it. If it has another name " \
           "there, as sidekiq_name, give it the same here: set :sidekiq_service"
    else
      puts "#{@host}:", report, "Sidekiq's last words (more by `journalctl --unit=#{@name}` on the server):", last_words
    end
  rescue SSHKit::Command::Failed
    warn "#{@host}: sudo does not let #{@ssh.capture(:whoami)} run `systemctl #{verb} #{@name}` without a password. The play with the role " \
         "curationexperts.sidekiq.sidekiq grants it to the users in sidekiq_sudo_users."
  end

  # What systemctl says of each unit, and what it does not say. Not being run in a terminal, it needs no pager.
  def report
    units = [@name] + processes.map { |process| process["Id"] }.reject { |unit| unit == "#{@name}.service" }
    answers = units.map { |unit| answer(unit) }
    answers << "#{@name} is quiet: it takes no new jobs until sidekiq:start or sidekiq:restart" if quiet?
    answers
  end

  # After a crash, status has systemd's lines only. Where journald keeps its log on disk, users may read what ran as themselves, and so
  # the user who deploys what Sidekiq said. Ruby's backtraces would be all there is to see.
  def last_words
    log = @ssh.capture("journalctl --quiet --no-pager --output=cat --lines=200 --unit=#{@name} --unit='#{@name}@*' 2>/dev/null || true")
    log.split("\n").reject { |line| line =~ /:\d+:in [`'][^']*'$/ }.last(10)
  end

  # An exit status of 3 means that the service is stopped, which is an answer and no error.
  def answer(unit)
    @ssh.capture("answer=$(sudo -n systemctl status #{unit}) || [ $? -eq 3 ] && printf '%s\\n' \"$answer\"")
  end

  # Sidekiq says so in its process title, from its next heartbeat on, which may be ten seconds later. systemd knows at once whether it
  # has been told since it was started.
  def quiet?
    processes.any? { |process| told_to_be_quiet?(process) || title(process) =~ / busy\] stopping/ }
  end

  def told_to_be_quiet?(process)
    process["ExecReload"] =~ /start_time=\[[^n]/
  end

  def title(process)
    @ssh.capture("tr '\\0' ' ' </proc/#{process['MainPID']}/cmdline || true")
  end

  # The processes that run. With several, each has a unit of its own, SERVICE@1 and so on, and that named SERVICE has none.
  def processes
    shown = @ssh.capture("systemctl show --property=Id,MainPID,ExecReload '#{@name}.service' '#{@name}@*.service'")
    units = shown.split("\n\n").map { |unit| unit.split("\n").map { |line| line.split("=", 2) }.to_h }
    units.select { |unit| unit["MainPID"].to_i > 0 }.sort_by { |unit| unit["Id"] }
  end
end

# What capistrano-sidekiq would do at these steps, and by tasks of these names.
%w[start stop restart quiet status add_default_hooks].map { |name| "sidekiq:#{name}" }.push("deploy:restart_sidekiq").each do |name|
  next unless Rake::Task.task_defined?(name)

  Rake::Task[name].clear_actions
  Rake::Task[name].clear_comments
end

namespace :sidekiq do
  {
    start: "Start Sidekiq; restart it if it is quiet",
    stop: "Stop Sidekiq; jobs that do not end in time go back to Redis",
    restart: "Restart Sidekiq",
    quiet: "Have Sidekiq end the jobs it has and take no new ones, until it is restarted",
    status: "Show Sidekiq's state and its last log lines"
  }.each do |verb, what|
    desc what
    task verb do
      servers = roles(*Array(fetch(:sidekiq_roles, :app)))
      warn "No server has one of the roles that sidekiq_roles names, so sidekiq:#{verb} does nothing" if servers.empty?
      on(servers) { |host| SidekiqService.new(self, host, fetch(:sidekiq_service, "sidekiq")).public_send(verb) }
    end
  end

  # A deploy that fails before this has not touched Sidekiq, and one that fails later leaves it running. Capistrano runs a task once at
  # most, so that a restart which has failed is not tried again.
  task :hooks do
    next unless fetch(:sidekiq_hooks, true)

    after "deploy:published", "sidekiq:restart"
    after "deploy:failed", "sidekiq:restart"
    invoke "sidekiq:quiet"
  end
end

after "deploy:starting", "sidekiq:hooks"
