# frozen_string_literal: true

# SPDX-License-Identifier: GPL-3.0-or-later
# Written by the Ansible collection curationexperts.sidekiq: do not edit, the next copy replaces it. What there is to set is set in
# config/deploy.rb:
#
#   set :sidekiq_service, "sidekiq"        # the service's name, as the role has it in sidekiq_name, or a list of several
#   set :sidekiq_roles, :app               # the servers that run it: a role or several
#   set :sidekiq_restart_in, :parallel     # :sequence restarts one server after the other, the next when the last is up
#   set :sidekiq_hooks, true               # false: the deploy does nothing to Sidekiq by itself
#
# The tasks run `sudo systemctl VERB SERVICE` as the user who deploys. Exactly these commands are what the role lets that user run as
# root without a password. capistrano-sidekiq may be loaded too: its tasks of the same names do nothing of their own any more.

# What a task of this file was to do and could not.
class SidekiqError < StandardError; end

# A unit of systemd, by the properties that systemctl shows.
class SidekiqUnit
  PROPERTIES = %w[
    Id LoadState ActiveState SubState UnitFileState Type MainPID NRestarts ExecStart ExecReload TimeoutStartUSec WorkingDirectory
    Wants Requires ConsistsOf
  ].freeze
  SECONDS = { "h" => 3600, "min" => 60, "s" => 1 }.freeze

  # Has systemctl show the units that match the patterns, of the system or of the user's own manager.
  def self.show(patterns, manager = :system)
    "systemctl --#{manager} show --no-pager --property=#{PROPERTIES.join(',')} #{Array(patterns).map { |pattern| "'#{pattern}'" }.join(' ')}"
  end

  # The units in what it has printed, in which an empty line ends each.
  def self.all(shown)
    shown.delete("\r").split(/\n{2,}/).map { |text| new(text.scan(/^(\w+)=(.*)/).to_h) }.select { |unit| unit["Id"] }
  end

  def initialize(properties)
    @properties = properties
  end

  def [](name)
    @properties[name]
  end

  def id
    self["Id"]
  end

  def pid
    self["MainPID"].to_i
  end

  def active?
    self["ActiveState"] == "active"
  end

  # What has ended and what waits to be started again has no process, and will have none that this start has asked for.
  def dead?
    %w[failed inactive].include?(self["ActiveState"]) || self["SubState"] == "auto-restart"
  end

  # It runs, or will at the next boot.
  def used?
    self["ActiveState"] != "inactive" || self["UnitFileState"] == "enabled"
  end

  def of?(directory)
    "#{self['WorkingDirectory']} #{self['ExecStart']}".match?(%r{#{Regexp.escape(directory)}(?=[/\s;'"]|\z)})
  end

  # The instances that an umbrella, which has no process of its own, starts.
  def instances
    prefix = Regexp.escape(id.sub(/\.service\z/, "@"))
    %w[ExecStart Wants Requires ConsistsOf].flat_map { |name| self[name].to_s.scan(/(?<![^\s])#{prefix}[^\s;]+\.service\b/) }.uniq
  end

  # systemd knows at once whether it has told a process to be quiet since it was started.
  def told_to_be_quiet?
    self["ExecReload"] =~ /start_time=\[[^n]/
  end

  def start_timeout
    text = self["TimeoutStartUSec"].to_s
    text.scan(/(\d+)(h|min|s)\b/).map { |number, unit| number.to_i * SECONDS[unit] }.inject(0, :+).nonzero? || 300
  end

  def to_s
    "#{id} (#{self['ActiveState']}, #{self['SubState']})"
  end
end

# Sidekiq's service on one server. It has one process, or is an umbrella over several, each of which has a unit of its own: SERVICE@1.
class SidekiqService
  attr_reader :name

  def initialize(ssh, host, name)
    @ssh = ssh
    @host = host
    @name = name.to_s.sub(/\.service\z/, "")
  end

  # systemctl start does nothing to a service that is active, and a quiet one is.
  def start
    return restart if quiet?

    systemctl(:start)
    prove(:start)
  end

  def stop
    systemctl(:stop)
  end

  def restart
    systemctl(:restart)
    prove(:restart)
  end

  # Before the first deploy there is nothing to quiet. An umbrella that has failed passes nothing on to those that run.
  def quiet
    return systemctl(:reload) if dry_run?

    running = processes.select { |unit| unit.active? && unit.pid > 0 }
    return @ssh.info("#{@name} is not running on #{@host}, so there is nothing to quiet") if running.empty?

    units.first.active? ? systemctl(:reload) : running.each { |unit| systemctl(:reload, unit.id) }
  end

  def status
    say(report)
  rescue SSHKit::Command::Failed
    explain(:status)
    raise
  end

  # Before anything is done: that a deploy would not end with a service that is not there.
  def check
    return if dry_run?

    state = units.first["LoadState"]
    raise SidekiqError, absent if state == "not-found"
    raise SidekiqError, "#{@name} on #{@host} is #{state}, so that it cannot be restarted" unless state == "loaded"
  end

  # The service's unit, and those of its processes if they are others.
  def ids
    units.first(1).concat(processes).map(&:id)
  end

  private

  def systemctl(verb, unit = @name)
    @ssh.execute :sudo, "-n", :systemctl, verb, unit
  rescue SSHKit::Command::Failed
    explain(verb)
    raise
  end

  # systemctl says yes to a Sidekiq that does not speak to systemd as soon as there is a process, and there are umbrellas that always do.
  def prove(verb)
    return if dry_run?

    before = processes.map { |unit| [unit.id, unit["NRestarts"]] }.to_h
    deadline = now + processes.map(&:start_timeout).max
    until (waiting = not_up(before, verb)).empty?
      return warn("#{waiting.join(', ')} on #{@host} has a process, but none that says it is a Sidekiq which is up") if now > deadline

      sleep 1
    end
  end

  # The processes that are not up yet. It is an error that one never will be.
  def not_up(before, verb)
    units = processes
    dead = units.select { |unit| unit.dead? || unit["NRestarts"] != before[unit.id] }
    return units.reject { |unit| up?(unit) } if dead.empty?

    explain(verb, dead)
    raise SidekiqError, "#{dead.join(', ')} did not come up on #{@host}"
  end

  # Sidekiq 6.0.6 and newer tell systemd; others say so in the title of their process.
  def up?(unit)
    unit.active? && (unit["Type"] == "notify" || titles(unit) =~ / \[\d+ of \d+ busy\]/)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # systemctl itself only names the commands that would tell why it did not work.
  def explain(verb, which = processes.select(&:dead?))
    return warn(absent) if units.first["LoadState"] == "not-found"

    say(report, (which.empty? ? processes : which).map { |unit| last_words(unit) })
  rescue SSHKit::Command::Failed
    warn "#{@host}: sudo does not let #{@ssh.capture(:whoami)} run `systemctl #{verb} #{@name}` without a password. The play with the role " \
         "curationexperts.sidekiq.sidekiq grants it to the users in sidekiq_sudo_users."
  end

  def absent
    "#{@host} has no service #{@name}. The play with the role curationexperts.sidekiq.sidekiq makes it. If it has another name " \
      "there, as sidekiq_name, give it the same here: set :sidekiq_service"
  end

  # In one piece, since several servers may have something to say.
  def say(*lines)
    puts ["#{@host}:", *lines].flatten.join("\n")
    $stdout.flush
  end

  # What systemctl says of each unit, those that have no process first, and what it does not say.
  def report
    dead, alive = processes.partition(&:dead?)
    answers = (dead + units.first(1) + alive).uniq(&:id).map { |unit| answer(unit.id.sub(/\.service\z/, "")) }
    answers << "Of #{@name}'s #{processes.length} processes these do not run: #{dead.join(', ')}" if dead.any? && processes.length > 1
    answers << "#{@name} is quiet: it takes no new jobs until sidekiq:start or sidekiq:restart" if quiet?
    answers
  end

  # Where journald keeps its log on disk, users may read what ran as themselves, and so the user who deploys what Sidekiq said. After a crash,
  # status has systemd's lines only. Ruby's backtraces would be all there is to see.
  def last_words(unit)
    file = unit["ExecStart"].to_s[/>>"?\$+0"? 2>&1 (\S+)/, 1]
    log = file ? "tail -n 200 '#{file}'" : "journalctl --quiet --no-pager --output=cat --lines=200 --unit='#{unit.id}'"
    lines = capture("#{log} 2>/dev/null || true").split("\n").reject { |line| line =~ /:\d+:in [`'][^']*'$/ }
    ["Sidekiq's last words (more in #{file || "`journalctl --unit=#{unit.id}`"} on the server):", *lines.last(10)]
  end

  # An exit status of 3 means that the service is stopped, which is an answer and no error. Its output is no terminal, so it needs no pager.
  def answer(unit)
    capture("answer=$(sudo -n systemctl status #{unit}) || [ $? -eq 3 ] && printf '%s\\n' \"$answer\"")
  end

  # The title tells from Sidekiq's next heartbeat on, which may be ten seconds later. After a daemon-reload it alone does.
  def quiet?
    processes.any? { |unit| unit.pid > 0 && (unit.told_to_be_quiet? || titles(unit) =~ / busy\] stopping/) }
  end

  # The processes of a unit, as systemctl shows them to everybody.
  def titles(unit)
    capture("systemctl status --no-pager --full --lines=0 '#{unit.id}' || true")
  end

  def processes
    service, *others = units
    wanted = service.instances
    return [service] if wanted.empty?

    missing = wanted - others.map(&:id)
    others.concat(SidekiqUnit.all(capture(SidekiqUnit.show(missing)))) if missing.any?
    others.select { |unit| wanted.include?(unit.id) }.sort_by(&:id)
  end

  # The service's unit and the instances that the manager has loaded, which leaves out some that are stopped. In a dry run nothing is asked.
  def units
    found = SidekiqUnit.all(capture(SidekiqUnit.show(["#{@name}.service", "#{@name}@*.service"])))
    found = [SidekiqUnit.new("Id" => "#{@name}.service")] if dry_run?
    found.sort_by { |unit| unit.id.include?("@") ? 1 : 0 }
  end

  def capture(command)
    @ssh.capture(command).delete("\r")
  end
end

# What is to be done on which servers, by the settings.
module SidekiqServers
  module_function

  def all
    roles(*Array(fetch(:sidekiq_roles)))
  end

  # A server may have a setting of its own: server "worker1", roles: :app, sidekiq_service: "sidekiq-critical"
  def services(ssh, host)
    names = Array(host.fetch(:sidekiq_service) || fetch(:sidekiq_service, "sidekiq"))
    raise SidekiqError, "sidekiq_service names no service" if names.empty?

    names.map { |name| SidekiqService.new(ssh, host, name) }
  end

  def rolling?
    order = fetch(:sidekiq_restart_in, :parallel).to_s
    return order == "sequence" if %w[parallel sequence].include?(order)

    raise SidekiqError, "sidekiq_restart_in is :parallel or :sequence, and not :#{order}"
  end

  def run(verb)
    return one_by_one if verb == :restart && rolling?

    everywhere(all) do |ssh, host|
      failures = SidekiqServers.services(ssh, host).map { |service| SidekiqServers.failure { service.public_send(verb) } }.compact
      raise SidekiqError, failures.join("; ") if failures.any?
    end
  end

  # Stops at the first that does not come up. The others work on, with the code they have.
  def one_by_one
    on(all, in: :sequence, wait: 0) { |host| SidekiqServers.services(self, host).each(&:restart) }
  end

  # A failure leaves nothing undone that can be done: whatever becomes of the others, a service that is quiet has to be restarted.
  def everywhere(servers)
    failures = Queue.new
    on(servers) do |host|
      failed = SidekiqServers.failure { yield self, host }
      failures << failed if failed
    end
    raise SidekiqError, listed(failures).join("; ") unless failures.empty?
  end

  def failure
    yield
    nil
  rescue StandardError => e
    e.message
  end

  # Where tasks of these names have been defined once more, after this file was loaded.
  def defined_again
    actions = %w[start stop restart quiet status].flat_map { |verb| Rake::Task["sidekiq:#{verb}"].actions }
    actions.map { |action| action.source_location.first }.uniq - [__FILE__]
  end

  def listed(queue)
    Array.new(queue.size) { queue.pop }.sort
  end

  # Before a deploy changes anything: it will not end with Sidekiq running the code from before on a server that gets the new one. Returns
  # what else runs a Sidekiq of the application.
  def check
    rolling?
    targets = all.map(&:hostname)
    others = Queue.new
    everywhere(release_roles(:all)) do |ssh, host|
      SidekiqSurvey.new(ssh, host, SidekiqServers.services(ssh, host)).run(targets.include?(host.hostname)).each { |other| others << other }
    end
    listed(others)
  end
end

# What runs a Sidekiq of the application on one server.
class SidekiqSurvey
  SIDEKIQS = "awk -v RS= -v ORS='\\n\\n' 'tolower($0) ~ /sidekiq/'"

  def initialize(ssh, host, services)
    @ssh = ssh
    @host = host
    @services = services
  end

  # What the settings leave out. It is an error that they leave out this server for a service that they name.
  def run(target)
    found = units(:system)
    target ? @services.each(&:check) : refuse(found)
    strangers = found.reject { |unit| known.include?(unit.id) }
    strangers.map { |unit| "#{unit.id} on #{@host}" } + units(:user).map { |unit| "#{unit.id} of #{@host.user}'s own systemd on #{@host}" }
  end

  private

  def refuse(found)
    forgotten = found.map(&:id) & @services.map { |service| "#{service.name}.service" }
    return if forgotten.empty?

    raise SidekiqError, "#{@host} gets the release and runs #{forgotten.join(', ')}, which would go on with the code from before: sidekiq_roles " \
                        "is #{fetch(:sidekiq_roles).inspect}, and #{@host} has #{@host.roles_array.inspect}. In config/deploy.rb, " \
                        "`set :sidekiq_roles` has to name one of these"
  end

  def known
    @known ||= @services.flat_map(&:ids)
  end

  # An umbrella itself has nothing of the application, and stands for its instances.
  def units(manager)
    shown = SidekiqUnit.all(@ssh.capture("#{SidekiqUnit.show('*.service', manager)} 2>/dev/null | #{SIDEKIQS}"))
    found = shown.select { |unit| unit.used? && unit.of?(fetch(:deploy_to).to_s) }
    umbrellas = shown.select { |unit| (unit.instances & found.map(&:id)).any? }
    found.reject { |unit| umbrellas.any? { |umbrella| umbrella.instances.include?(unit.id) } } + umbrellas
  end
end

# What capistrano-sidekiq would do at these steps, and by tasks of these names.
%w[start stop restart quiet status add_default_hooks install enable].map { |name| "sidekiq:#{name}" }.push("deploy:restart_sidekiq").each do |name|
  next unless Rake::Task.task_defined?(name)

  Rake::Task[name].clear_actions
  Rake::Task[name].clear_comments
end

# Before its defaults are set, among which are other roles. What is set in config/deploy.rb comes after both.
task("sidekiq:defaults") { set_if_empty :sidekiq_roles, :app }
Rake::Task["load:defaults"].enhance(["sidekiq:defaults"])

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
      warn "No server has one of the roles that sidekiq_roles names, so sidekiq:#{verb} does nothing" if SidekiqServers.all.empty?
      set :sidekiq_restart_tried, true if verb == :restart
      SidekiqServers.run(verb)
    end
  end

  # capistrano-sidekiq's would make a second service, and so a second Sidekiq.
  %w[install enable].each do |name|
    next unless Rake::Task.task_defined?("sidekiq:#{name}")

    task name do
      raise SidekiqError, "sidekiq:#{name} would make a second Sidekiq: the play with the role curationexperts.sidekiq.sidekiq makes the service"
    end
  end

  # A deploy that fails before this has not touched Sidekiq, and one that fails later leaves it running. Where one server follows the other,
  # all work on until it is their turn.
  task hooks: :check do
    next unless fetch(:sidekiq_hooks, true)

    after "deploy:published", "sidekiq:restart"
    after "deploy:published", "sidekiq:left_out"
    next if SidekiqServers.rolling?

    after "deploy:failed", "sidekiq:restart_after_failure"
    invoke "sidekiq:quiet"
  end

  task :check do
    set :sidekiq_left_out, SidekiqServers.check if fetch(:sidekiq_hooks, true)
  end

  # A restart that has failed is not tried again, and one that fails here does not keep other hooks from running.
  task :restart_after_failure do
    begin
      invoke "sidekiq:restart" unless fetch(:sidekiq_restart_tried)
    rescue StandardError => e
      warn e.message
    end
  end

  # In the end of a deploy, where it is read.
  task :left_out do
    SidekiqServers.defined_again.each do |file|
      warn "#{file} defines tasks of sidekiq, too, which act beside those of #{__FILE__} or in their place. Remove them"
    end
    fetch(:sidekiq_left_out).each do |unit|
      warn "#{unit} runs Sidekiq for #{fetch(:application)}, too, and this deploy has not restarted it. Either add it to sidekiq_service in " \
           "config/deploy.rb, or remove it"
    end
  end

  # The one hook of capistrano-sidekiq that is kept: by its settings, it shows in Sidekiq's metrics when there was a deploy.
  task :hook_of_mark_deploy do
    next unless fetch(:sidekiq_default_hooks, true) && fetch(:sidekiq_mark_deploy, false)

    after "deploy:published", "sidekiq:mark_deploy" if Rake::Task.task_defined?("sidekiq:mark_deploy")
  end
end

after "deploy:starting", "sidekiq:hooks"
after "deploy:starting", "sidekiq:hook_of_mark_deploy"
