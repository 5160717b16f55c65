#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is documentation. What runs on the host is a compiled program, which the action plugin of the same name sends there.

from __future__ import (absolute_import, division, print_function)

__metaclass__ = type

DOCUMENTATION = r"""
module: sidekiq_service
short_description: Keep Sidekiq always running, as a systemd service
version_added: 1.0.0
author:
  - Data Curation Experts (@curationexperts)
description:
  - Puts an application's Sidekiq under systemd, so that it runs again after a crash, a Redis outage or a reboot, and lets the deploy
    user, and Capistrano as that user, restart it without a password and without becoming root.
  - One task does it all. It writes the unit file and the sudoers file, has C(systemd-analyze) and C(visudo) judge them before anything is
    replaced, enables and starts the service, and waits until Sidekiq has really come up. If it does not come up, everything is put back
    as it was, and the message says why, with Sidekiq's last log lines.
  - The task may run before the first deploy. The service is then prepared and enabled, is not started, and the task ends with a warning.
  - The host needs systemd 229 or newer, and sudo unless O(sudo=false). It needs no Python and no facts.
options:
  name:
    description:
      - The name of the service, without C(.service). The log lines bear it too, and the sudoers file is named after it.
      - Set it to run the Sidekiqs of several applications on one host.
    type: str
    default: sidekiq
  state:
    description:
      - What Sidekiq does when the task is done.
      - V(started) means that Sidekiq runs and is not quiet. It is started if it is down, and restarted if it is older than what is installed.
        That a release was deployed since is no reason; see O(restart_on_release).
      - V(stopped) stops it; jobs that do not end in O(timeout_stop_sec) go back to Redis.
      - V(restarted) restarts it in any case. Always reported as a change.
      - V(quiet) lets it finish its jobs and take no new ones, as before a deploy. Always reported as a change.
      - V(present) writes and enables, and leaves Sidekiq running or not, as it is.
      - V(absent) stops it and removes the files that this collection wrote.
      - A task that gives O(state), and of the other options at most O(name), O(enabled), O(start_timeout) and O(on_failure), acts on the
        service of that name that is there, by that service's own settings, and writes nothing. So a handler restarts Sidekiq.
    type: str
    choices: [started, stopped, restarted, quiet, present, absent]
    default: started
  enabled:
    description:
      - Whether Sidekiq starts when the host boots.
    type: bool
    default: true
  project_name:
    description:
      - The application, which is deployed to C(/opt/<project_name>/current).
      - Required unless O(working_directory) is set, O(state=absent), or the task acts on a service by its name; see O(state).
    type: str
  working_directory:
    description:
      - The directory of the deployed application, absolute. C(/opt/<project_name>/current) if it is not set.
    type: path
  user:
    description:
      - The user who runs Sidekiq, and may restart it. Never V(root).
    type: str
    default: deploy
  group:
    description:
      - The group that Sidekiq runs with. The user's primary group if it is not set.
    type: str
  umask:
    description:
      - Which permissions the files that jobs make do not get. With V("0002") the group may write them.
      - An octal number in quotes that starts with V(0). YAML reads V(0027) without quotes as 23, and that is refused.
    type: str
    default: "0002"
  app_env:
    description:
      - The environment that the application runs in, C(RAILS_ENV) for Rails.
    type: str
    default: production
  config_file:
    description:
      - Sidekiq's own configuration with its queues and its concurrency, absolute or below O(working_directory).
      - If it is not set, and there is no such file, C(config/sidekiq.yml.erb) if that is there, or none, as Sidekiq itself has it.
    type: str
    default: config/sidekiq.yml
  bundle:
    description:
      - The bundler that runs Sidekiq. V(/usr/local/bin/bundle) if it is not set. With O(login_shell=true) that is the V(bundle) which the
        shell finds.
    type: path
  login_shell:
    description:
      - Start Sidekiq from a login shell of the user, C(/bin/bash -lc). Set it where Ruby comes from rbenv, rvm or asdf.
      - Their lines belong into C(~/.bash_profile) or C(~/.profile). Debian's C(~/.bashrc) ends early for a shell in which nobody types.
    type: bool
    default: false
  exec_start:
    description:
      - A whole command line of your own, in place of the one that is made of other options.
      - If a shell or a script starts Sidekiq, it has to do so by C(exec), so that systemd's signals reach Sidekiq. A launcher that neither
        becomes Sidekiq nor passes C(SIGTERM) on, such as C(flock) or a pipe, is refused, since each stop would kill all running jobs.
        A service that runs so already gets a warning, and is neither restarted nor made quiet. O(type=auto) takes
        V(exec) where the line does not tell that it runs the application's Sidekiq; set V(notify) if it does.
      - Mutually exclusive with O(bundle), O(login_shell), O(app_env), O(config_file), O(queues) and O(concurrency).
    type: str
  queues:
    description:
      - The queues to take jobs from, each V(name) or V(name,weight). Those of O(config_file) if it is not set.
    type: list
    elements: str
  concurrency:
    description:
      - How many jobs run at once. That of O(config_file) if it is not set. From 1 to 1000.
    type: int
  type:
    description:
      - How systemd knows that Sidekiq is up.
      - V(auto) takes V(notify) if the deployed application has Sidekiq 6.0.6 or newer, which tells systemd so itself, and V(exec) otherwise,
        V(simple) on systemd before 240.
    type: str
    choices: [auto, notify, exec, simple]
    default: auto
  watchdog_sec:
    description:
      - With V(notify), restart a Sidekiq that has given no sign of life for so many seconds. V(0) turns this off. From 0 to 604800 seconds.
    type: int
    default: 60
  restart:
    description:
      - When systemd starts Sidekiq again by itself. With anything but V(always) there are ways for it to stay down.
    type: str
    choices: [always, on-failure, on-abnormal, on-abort, on-success, "no"]
    default: always
  restart_sec:
    description:
      - How many seconds systemd waits before it starts Sidekiq again. From 1 to 604800 seconds.
      - A wait that grows from 1 to 30 seconds with systemd 254 or newer, and 25 seconds otherwise, if it is not set.
    type: int
  start_timeout:
    description:
      - How many seconds Sidekiq may take to come up, at boot and in this task. Large Rails applications need their time after a reboot.
      - In this task it counts from when systemd is asked until Sidekiq has been seen to be up, whatever systemd waits for meanwhile. What
        has to be stopped first has O(timeout_stop_sec) and 10 seconds for that. Each of several processes has its own time.
      - V(0) does not look whether it comes up, with a warning; the start itself may take 300 seconds then. From 0 to 604800 seconds.
    type: int
    default: 300
  timeout_stop_sec:
    description:
      - How many seconds Sidekiq may take to stop, in which it gives unfinished jobs back to Redis. From 1 to 604800 seconds.
      - 5 more than the C(timeout) of O(config_file), and 90 at least, if it is not set.
    type: int
  env:
    description:
      - Environment variables. Every user of the host can read them; put secrets into O(secret_env). Values are never shown in results.
    type: dict
  env_files:
    description:
      - Files with environment variables, absolute. One with a V(-) before it may be missing.
    type: list
    elements: str
  secret_env:
    description:
      - Environment variables that only root and Sidekiq can read, each of 4 characters or more. They are kept in a file of root's,
        C(/etc/curationexperts.sidekiq/NAME.env), which is removed with the service. Where one changes, Sidekiq is restarted.
      - Values are never shown in results. Nor are they kept on the host for the next run, which so takes one round trip more.
    type: dict
    version_added: 1.1.0
  log_file:
    description:
      - A file to log to, absolute or below O(working_directory), opened by O(user). The journal if it is not set.
    type: path
  logrotate:
    description:
      - Whether C(/etc/logrotate.d/<name>) is written, by which logrotate rotates O(log_file) each day and keeps 14 days. It does so as O(user), by
        C(copytruncate), since Sidekiq does not open its log anew; lines of the moment may be lost. Where another rule covers the file already,
        nothing is written, and a warning names that rule's file.
    type: bool
    default: false
    version_added: 1.1.0
  redis_unit:
    description:
      - The unit of a Redis on the same host, which is then enabled, started, and waited for at boot.
      - V(auto) waits for the distribution's Redis or Valkey if it is installed and starts it at boot if it is enabled. V(none) is for a Redis
        elsewhere.
    type: str
    default: auto
  after:
    description:
      - More units that Sidekiq is started after.
    type: list
    elements: str
  wants:
    description:
      - More units that are started with Sidekiq.
    type: list
    elements: str
  wanted_by:
    description:
      - The targets that start Sidekiq if it is enabled.
    type: list
    elements: str
    default: [multi-user.target]
  processes:
    description:
      - How many Sidekiq processes to run, all alike. One uses about one core, however large its O(concurrency). Start, stop and restart of
        O(name) still act on all of them. From 1 to 100.
      - Each is a service of its own, C(<name>@1) and so on. O(instances) gives them names and settings.
    type: int
    default: 1
  instances:
    description:
      - Several Sidekiq processes, each with a name and with settings of its own, as services C(<name>@<instance>). Start, stop and restart of
        O(name) act on all of them.
      - What one does not say it has from the options of the service. A list takes the place of the service's, a dictionary is merged into
        it, and V(null) leaves out what the service has.
      - Mutually exclusive with O(processes).
    type: list
    elements: dict
    version_added: 1.1.0
    suboptions:
      name:
        description:
          - The name of the process, of letters, digits, C(-) and C(_), 40 at most.
        type: str
        required: true
      config_file:
        description:
          - Its O(config_file).
        type: path
      exec_start:
        description:
          - Its O(exec_start).
          - Mutually exclusive with O(instances[].config_file), O(instances[].queues) and O(instances[].concurrency).
        type: str
      queues:
        description:
          - Its O(queues).
        type: list
        elements: str
      concurrency:
        description:
          - Its O(concurrency). From 1 to 1000.
        type: int
      env:
        description:
          - Its O(env) beside the service's. Values are never shown in results.
        type: dict
      env_files:
        description:
          - Its O(env_files).
        type: list
        elements: str
      secret_env:
        description:
          - Its O(secret_env) beside the service's. Values are never shown in results.
        type: dict
      log_file:
        description:
          - Its O(log_file).
        type: path
      directives:
        description:
          - Its O(directives) beside the service's. C(Install) has no place here, since the service starts its processes.
        type: dict
  hardening:
    description:
      - How much of the system is kept from Sidekiq.
      - V(basic) makes the system's files read-only for Sidekiq, and keeps sudo, sendmail and uploads in C(/tmp) working in jobs.
      - V(strict) takes away more, which some applications need.
    type: str
    choices: [none, basic, strict]
    default: none
  directives:
    description:
      - Anything else for the unit file, as a dictionary of sections, which are dictionaries of names to a value, a list of values, or
        V(null) to leave a directive out.
    type: dict
  sudo:
    description:
      - Whether O(sudo_users) and O(sudo_groups) may restart Sidekiq without a password. V(false) takes it from them.
    type: bool
    default: true
  sudo_users:
    description:
      - The users who may restart Sidekiq without a password. O(user) if it is not set.
    type: list
    elements: str
  sudo_groups:
    description:
      - The groups whose members may restart Sidekiq without a password.
    type: list
    elements: str
    default: []
  sudo_commands:
    description:
      - What they may do with C(sudo systemctl). V(kill_tstp) is the C(kill -s TSTP) with which capistrano-sidekiq 3 and the role of
        ansible-samvera quiet Sidekiq. V(reload) is better, since C(kill) sends the signal to the processes that jobs have started, too, and
        with several processes reaches none of them by the service's name.
    type: list
    elements: str
    choices: [start, stop, restart, reload, status, kill_tstp]
    default: [start, stop, restart, reload, status, kill_tstp]
  sudoers_file:
    description:
      - The sudoers file. C(/etc/sudoers.d/<name>-restart-users) if it is not set.
    type: path
  unit_dir:
    description:
      - The directory of the unit file, one of those that systemd loads units from. Set it to V(/etc/systemd/system) where C(/usr) is
        read-only.
    type: path
    default: /lib/systemd/system
  restart_on_change:
    description:
      - Whether a running Sidekiq that is older than what is installed is restarted. With V(false) there is a warning, and the next deploy
        does it.
    type: bool
    default: true
  restart_on_release:
    description:
      - Whether a running Sidekiq is restarted when it runs another release than the one that is deployed, because C(current) leads to another
        directory than when it was started. Without it a new C(current) restarts nothing, since the deploy does that; the module
        C(sidekiq_service_info) tells which release runs.
    type: bool
    default: false
    version_added: 1.1.0
  require_deployed:
    description:
      - Whether it is an error that the application is not deployed yet. Otherwise it is a warning, and the service waits for its first deploy.
    type: bool
    default: false
    version_added: 1.1.0
  known_services:
    description:
      - Other services that run the Sidekiq of the same application and are meant to, such as one of a user's own systemd. They are not warned
        about. V(worker) stands for C(worker.service), for its template and for its instances, such as C(worker@2.service).
    type: list
    elements: str
    version_added: 1.1.0
  on_failure:
    description:
      - If Sidekiq does not come up, V(rollback) puts everything back as it was, and V(keep) leaves it for you to look at.
    type: str
    choices: [rollback, keep]
    default: rollback
  replace:
    description:
      - Take over files of the same name that belong to another application, or that something else wrote and that say what the options do
        not ask for. Without it that is an error, so that two applications do not take each other's service away, and no setting is lost.
    type: bool
    default: false
  backup:
    description:
      - Keep each file that is changed or removed, whole, in a directory of its own below C(/var/lib/curationexperts.sidekiq/backup), where only
        root can look. C(backup_dir) in the result says which. Nothing removes these copies.
    type: bool
    default: false
    version_added: 1.1.0
notes:
  - V(null) means the default for every option. An empty string does, too, but for a number or a boolean, where it is an error. A list or a
    dictionary may be given as text, as C(-e) and INI inventories do, in the form of JSON or of Python.
  - The program stays on the host, in C(/var/cache/curationexperts.sidekiq), which belongs to root alone, so that a task is a single command over
    the connection. Where that is not possible, for one with a become method that needs a terminal, it is copied for each task by itself;
    C(-vvv) tells why. Set the variable C(sidekiq_service_fast) to V(false) to have it so always.
  - The options of the last tasks stay there, too, so that one that is run again does not wait for them. C(no_log) and O(state=absent) remove
    them.
  - The C(environment) of a task or play has no effect, because the program uses nothing of it.
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing but the kept program.
  diff_mode:
    support: full
    description: Shows the unit file and the sudoers file before and after.
  async:
    support: none
    description: Runs a task in the background.
  idempotent:
    support: partial
    description: A second run changes nothing.
    details:
      - O(state=restarted) and O(state=quiet) always do what they say.
  platform:
    support: full
    description: The systems it can manage.
    platforms: Linux with systemd
"""

EXAMPLES = r"""
- name: Keep the Sidekiq of laevigata always running
  curationexperts.sidekiq.sidekiq_service:
    project_name: laevigata
  become: true

- name: Run a second application's Sidekiq, whose Ruby comes from rbenv
  curationexperts.sidekiq.sidekiq_service:
    name: sidekiq-hyrax
    project_name: hyrax
    login_shell: true
    queues: ["critical,2", default]
    concurrency: 5
  become: true

- name: Restart the Sidekiq that is there, as a handler does, and change none of its settings
  curationexperts.sidekiq.sidekiq_service:
    name: sidekiq-hyrax
    state: restarted
  become: true

- name: Let the operators restart it too, and give it secrets from a vault and from a file of your own
  curationexperts.sidekiq.sidekiq_service:
    project_name: laevigata
    sudo_groups: [operators]
    env:
      MALLOC_ARENA_MAX: "2"
    env_files: [/etc/laevigata/sidekiq.env]
    secret_env:
      FEDORA_PASSWORD: "{{ vault_fedora_password }}"
    directives:
      Service:
        MemoryMax: 2G
  become: true

- name: Run a process for each kind of queue, under one name
  curationexperts.sidekiq.sidekiq_service:
    project_name: laevigata
    instances:
      - name: critical
        queues: [critical]
      - name: rest
        queues: ["default,2", low]
        concurrency: 3
  become: true

- name: Set it up now and leave the restart to the next deploy
  curationexperts.sidekiq.sidekiq_service:
    project_name: laevigata
    restart_on_change: false
  become: true

- name: Remove it
  curationexperts.sidekiq.sidekiq_service:
    name: sidekiq-hyrax
    state: absent
  become: true
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be done, in words and in order.
  returned: always
  type: list
  elements: str
  sample:
    - "write /lib/systemd/system/sidekiq.service"
    - "write /etc/sudoers.d/sidekiq-restart-users"
    - "reload the systemd manager"
    - "enable sidekiq.service"
    - "start sidekiq.service"
diff:
  description: The files before and after.
  returned: in diff mode, if there is a difference
  type: list
  elements: dict
  contains: &diff
    before:
      description: What the file held.
      type: str
    after:
      description: What it holds now, or would hold.
      type: str
    before_header:
      description: The file before.
      type: str
    after_header:
      description: The file after.
      type: str
unit:
  description: The unit file.
  returned: unless the task failed before it looked at the host
  type: str
  sample: /lib/systemd/system/sidekiq.service
sudoers:
  description: The sudoers file.
  returned: unless the task failed before it looked at the host
  type: str
  sample: /etc/sudoers.d/sidekiq-restart-users
service:
  description: The service before and after the task.
  returned: unless the task failed before it looked at the host, or could not look at the service after the last step
  type: dict
  contains:
    before:
      description: As the task found it.
      type: dict
      contains: &service_state
        active_state:
          description: What C(systemctl is-active) says.
          type: str
          sample: active
        sub_state:
          description: Its state in detail.
          type: str
          sample: running
        main_pid:
          description: Sidekiq's process. V(0) if there is none.
          type: int
          sample: 4098
        enabled:
          description: Whether it starts at boot.
          type: bool
        quiet:
          description: Whether it takes no new jobs.
          type: bool
        stale:
          description: Whether it is older than what is installed.
          type: bool
        reload_pending:
          description: Whether systemd has yet to read the unit file anew.
          type: bool
        restarts:
          description: How often systemd has started it again by itself. Version 235 is the first that counts.
          returned: success, null where it is not counted
          type: int
    after:
      description: As the task left it.
      type: dict
      contains: *service_state
deployed:
  description: Whether the application has been deployed.
  returned: unless the task failed before it looked at the host, or O(state=absent)
  type: bool
  sample: true
sidekiq_version:
  description: The Sidekiq of the deployed application, from its Gemfile.lock or gems.locked.
  returned: always, null where it is not known
  type: str
  sample: 6.4.1
backup_dir:
  description: Where the files are that O(backup) has kept, or in check mode would keep, each under its own name; where two
    have the same, that of the directory stands before the second.
  returned: if there are any
  type: str
  sample: /var/lib/curationexperts.sidekiq/backup/sidekiq/20260406T140733Z
rolled_back:
  description:
    - Whether everything was put back as it was. It is V(true) only if a look afterwards has found the files, the links and the units so.
    - A service that was up and does not come up again, be it for a reason of its own, makes it V(false).
  returned: if a step failed
  type: bool
  sample: true
warnings:
  description: What you may want to know or to look at.
  returned: if there are any
  type: list
  elements: str
"""
