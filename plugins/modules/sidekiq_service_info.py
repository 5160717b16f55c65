#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is documentation. What runs on the host is a compiled program, which the action plugin of the same name sends there.

from __future__ import (absolute_import, division, print_function)

__metaclass__ = type

DOCUMENTATION = r"""
module: sidekiq_service_info
short_description: Tell how a Sidekiq service is doing
version_added: 1.0.0
author:
  - Data Curation Experts (@curationexperts)
description:
  - Looks at a Sidekiq that runs under systemd, and tells what it is, whether it is up, whether it runs the code that is deployed, and
    what its user may do by sudo. It changes nothing.
  - It tells the same of a service that M(curationexperts.sidekiq.sidekiq_service) has not set up, as far as there is something to be told. A
    service that is not there is no error.
  - The host needs no Python and no facts.
options:
  name:
    description:
      - The name of the service, without C(.service).
    type: str
    default: sidekiq
  project_name:
    description:
      - The application, which is deployed to C(/opt/<project_name>/current). Without it and O(working_directory), the one that the unit file
        names.
    type: str
  working_directory:
    description:
      - The directory of the deployed application, absolute, if it is elsewhere.
    type: path
  user:
    description:
      - The user who is to restart Sidekiq, and whose rights by sudo are told. Without it, the user that the unit file
        names, and V(deploy) where there is none.
    type: str
  unit_dir:
    description:
      - The directory that the unit file was written to. All others that systemd looks into are searched, too.
    type: path
    default: /lib/systemd/system
  sudoers_file:
    description:
      - The sudoers file. C(/etc/sudoers.d/<name>-restart-users) if it is not set.
    type: path
  known_services:
    description:
      - Other services that run the Sidekiq of the same application and are meant to. They are not warned about.
    type: list
    elements: str
    version_added: 1.1.0
notes:
  - The program and the options stay on the host, and C(environment) has no effect, as with M(curationexperts.sidekiq.sidekiq_service).
attributes:
  check_mode:
    support: full
    description: Tells the same in check mode, since it changes nothing but the kept program.
  diff_mode:
    support: none
    description: There is nothing to be different.
  async:
    support: none
    description: Runs a task in the background.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    description: The systems it can look at.
    platforms: Linux with systemd
seealso:
  - module: curationexperts.sidekiq.sidekiq_service
"""

EXAMPLES = r"""
- name: Look at Sidekiq
  curationexperts.sidekiq.sidekiq_service_info:
  become: true
  register: sidekiq

- name: Fail where it does no jobs
  ansible.builtin.assert:
    that: sidekiq.up

- name: Say which hosts a deploy has left with old code
  ansible.builtin.debug:
    var: sidekiq.restart_reasons
  when: sidekiq.restart_needed

- name: Say which options reproduce a service that something else has set up
  ansible.builtin.debug:
    msg: "{{ sidekiq.options | to_nice_yaml }}"

- name: Look at a second application's Sidekiq, and at what bess may do with it
  curationexperts.sidekiq.sidekiq_service_info:
    name: sidekiq-hyrax
    user: bess
  become: true
"""

RETURN = r"""
unit:
  description: The unit file that systemd goes by. Empty if there is none. With several processes it stands for all of them.
  returned: success
  type: str
  sample: /lib/systemd/system/sidekiq.service
shadowed:
  description: Unit files of the same name that have no effect, because RV(unit) takes precedence over them.
  returned: success
  type: list
  elements: str
template:
  description: A file from which systemd makes units of this name, as the first release wrote it for several processes. Empty if there is none.
  returned: success
  type: str
  sample: /lib/systemd/system/sidekiq@.service
drop_ins:
  description: Files that add to RV(unit) or to the units of RV(processes), be they for one of them or for all whose name begins alike.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/sidekiq.service.d/override.conf]
sudoers:
  description: The sudoers file. Empty if it is not there.
  returned: success
  type: str
  sample: /etc/sudoers.d/sidekiq-restart-users
written_by:
  description:
    - Who wrote RV(unit), V(collection), V(old_role) for the role of ansible-samvera or a file made by the same guide, or V(other). Empty if
      there is none.
  returned: success
  type: str
  sample: collection
project:
  description: The application that RV(unit) was written for. Empty if that is not known.
  returned: success
  type: str
  sample: laevigata
options:
  description:
    - The options of M(curationexperts.sidekiq.sidekiq_service) that reproduce what RV(unit) runs, whoever wrote it, ready for C(to_nice_yaml).
      A task with these options runs the same command as the same user in the same environment, from a file in the same directory. Options
      that have their default are left out.
    - The values of O(curationexperts.sidekiq.sidekiq_service#module:env) and O(curationexperts.sidekiq.sidekiq_service#module:secret_env) are
      not shown; V((hidden)) stands for each of them.
    - Where a unit is not of this collection, O(curationexperts.sidekiq.sidekiq_service#module:type) is left to the module, and so is how
      Sidekiq is made quiet.
    - Several processes that are called by numbers and have nothing of their own are told as
      O(curationexperts.sidekiq.sidekiq_service#module:processes), others as O(curationexperts.sidekiq.sidekiq_service#module:instances).
  returned: success
  type: dict
  sample: {project_name: laevigata, user: deploy, group: deploy, restart: on-failure, restart_sec: 1}
no_option:
  description: What no option reproduces, in words.
  returned: success
  type: list
  elements: str
  sample: ["-L log/sidekiq.log: Sidekiq 6 and newer have no such flag; log_file: log/sidekiq.log writes the log there"]
enablement:
  description:
    - What C(systemctl is-enabled) says, V(enabled), V(enabled-runtime), V(disabled), V(masked) or another of its words, and V(not-found) if
      there is no such service.
  returned: success
  type: str
  sample: enabled
reload_pending:
  description: Whether systemd has yet to read the unit file anew.
  returned: success
  type: bool
active_state:
  description: What C(systemctl is-active) says.
  returned: success
  type: str
  sample: active
sub_state:
  description: Its state in detail. V(exited) is right for a service with several processes, which are units of their own.
  returned: success
  type: str
  sample: running
up:
  description:
    - Whether Sidekiq runs and, by its own word, is not quiet, in each of its processes.
    - A program that is not Sidekiq, or does not show in its process title that it is ready, is not up.
  returned: success
  type: bool
processes:
  description: The processes that are to run Sidekiq.
  returned: success
  type: list
  elements: dict
  contains: &process
    name:
      description: Its name among several processes, as in the option C(instances), or its number. Empty if there is only one.
      type: str
      sample: critical
    unit:
      description: The unit that runs it.
      type: str
      sample: sidekiq@critical.service
    active_state:
      description: What C(systemctl is-active) says of that unit.
      type: str
      sample: active
    sub_state:
      description: Its state in detail.
      type: str
      sample: running
    main_pid:
      description: Its process ID. V(0) if it does not run.
      type: int
      sample: 4098
    title:
      description: What it calls itself, with the number of jobs that it does at the moment. Empty if it does not run.
      type: str
      sample: sidekiq 6.4.1 laevigata [2 of 5 busy]
    memory:
      description: Its resident memory in bytes.
      type: int
      sample: 163577856
    restarts:
      description: How often systemd has started it again by itself. Version 235 is the first that counts.
      returned: always, null where it is not counted
      type: int
    since:
      description: When it was started, or stopped if it does not run. Empty if it never ran since the host booted, or systemd has forgotten it.
      type: str
      sample: "2026-04-06T14:07:34Z"
    up:
      description: Whether it runs and, by its own word, is not quiet.
      type: bool
    quiet:
      description: Whether it has been told to take no more jobs.
      type: bool
    release:
      description: The directory that it runs in.
      type: str
      sample: /opt/laevigata/releases/20260406140711
    sidekiq_version:
      description: The Sidekiq that runs, as it says itself.
      returned: always, null where it does not say
      type: str
      sample: 6.4.1
    restart_needed:
      description: Whether a restart would bring something that is not in effect.
      type: bool
    restart_reasons:
      description: Why.
      type: list
      elements: str
restart_needed:
  description:
    - Whether one of the processes runs another release than the one that is deployed, is older than its unit file, a drop-in or an environment
      file, or has been quiet for long.
  returned: success
  type: bool
restart_reasons:
  description: Why, in words.
  returned: success
  type: list
  elements: str
  sample:
    - "sidekiq.service: it runs in /opt/laevigata/releases/20260406140711, and /opt/laevigata/current is /opt/laevigata/releases/20260407091500 now"
current:
  description: The working directory, usually a link to a release. Empty if it is not known.
  returned: success
  type: str
  sample: /opt/laevigata/current
release:
  description: Where RV(current) leads. Empty if nothing is deployed.
  returned: success
  type: str
  sample: /opt/laevigata/releases/20260406140711
deployed:
  description: Whether the application has been deployed, as far as RV(current) is known.
  returned: success
  type: bool
sidekiq_version:
  description: The Sidekiq of the deployed application, from its Gemfile.lock or gems.locked.
  returned: success, null where it is not known
  type: str
  sample: 6.4.1
redis:
  description: The Redis of the host itself.
  returned: success, null where the host has none as a systemd service
  type: dict
  contains:
    unit:
      description: Its unit.
      type: str
      sample: redis-server.service
    active_state:
      description: What C(systemctl is-active) says of it.
      type: str
      sample: active
    version:
      description: The version that is installed.
      returned: always, null where it is not known
      type: str
      sample: 7.0.15
sudo:
  description: What the user may do by sudo, as sudo itself tells.
  returned: success, null where there is no sudo or no such user
  type: dict
  contains:
    user:
      description: The user.
      type: str
      sample: deploy
    commands:
      description: What he may do with the service without a password, in the words of the option C(sudo_commands) of
        M(curationexperts.sidekiq.sidekiq_service).
      type: list
      elements: str
      sample: [start, stop, restart, reload, status]
    everything:
      description: Whether he may run every command as root without a password.
      type: bool
    rules:
      description: All rules that sudo has for him.
      type: list
      elements: str
      sample: ["(root) NOPASSWD: /usr/bin/systemctl start sidekiq"]
warnings:
  description: What you may want to know or to look at, such as another service that runs the same application.
  returned: if there are any
  type: list
  elements: str
"""
