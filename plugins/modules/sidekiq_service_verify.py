#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is documentation. What runs on the host is a compiled program, which the action plugin of the same name sends there.

from __future__ import (absolute_import, division, print_function)

__metaclass__ = type

DOCUMENTATION = r"""
module: sidekiq_service_verify
short_description: Restart Sidekiq as the deploy user does, and show that it comes up
version_added: 1.1.0
author:
  - Data Curation Experts (@curationexperts)
description:
  - Has the deploy user restart Sidekiq as a deploy does, by sudo, without a password and without a terminal, and waits until each of its
    processes has been shown to be up. RV(msg) tells in one sentence what was found, and the task fails if that is not good.
  - It is a real restart. It is not for a moment at which jobs must not be interrupted.
  - The host needs no Python and no facts.
options:
  name:
    description:
      - The name of the service, without C(.service).
    type: str
    default: sidekiq
  user:
    description:
      - The user who is to restart Sidekiq, unless O(sudo_users) names one. Without both, the user that the unit file names, and V(deploy)
        where there is none.
    type: str
  sudo_users:
    description:
      - The users who may restart Sidekiq without a password. The first of them does it.
    type: list
    elements: str
  start_timeout:
    description:
      - How many seconds Sidekiq may take to come up. Without it, or with V(0), what its unit file says, and V(300) where that says nothing.
        From 0 to 604800 seconds.
      - C(systemctl) has as long as that and as what has to be stopped first may take by its C(TimeoutStopSec), and 15 seconds.
    type: int
notes:
  - The program and the options stay on the host, and C(environment) has no effect, as with M(curationexperts.sidekiq.sidekiq_service).
attributes:
  check_mode:
    support: none
    description: In check mode nothing is restarted, and RV(msg) says so.
  diff_mode:
    support: none
    description: There is nothing to be different.
  async:
    support: none
    description: Runs a task in the background.
  idempotent:
    support: none
    description: Restarts Sidekiq each time.
  platform:
    support: full
    description: The systems it can look at.
    platforms: Linux with systemd
seealso:
  - module: curationexperts.sidekiq.sidekiq_service
  - module: curationexperts.sidekiq.sidekiq_service_info
"""

EXAMPLES = r"""
- name: Show that the deploy user can restart Sidekiq
  curationexperts.sidekiq.sidekiq_service_verify:
  become: true

- name: Show that bess can restart a second application's Sidekiq, which boots within a minute
  curationexperts.sidekiq.sidekiq_service_verify:
    name: sidekiq-hyrax
    user: bess
    start_timeout: 60
  become: true
"""

RETURN = r"""
msg:
  description: What was found, in one sentence or a few.
  returned: always
  type: str
  sample: >-
    deploy restarted sidekiq without a password, and it is up again: process 4711 (4098 before), Sidekiq 6.4.1 in
    /opt/laevigata/releases/20260406140711.
processes:
  description: The processes of the service. Empty if nothing was restarted.
  returned: always
  type: list
  elements: dict
  contains: &restarted
    unit:
      description: The unit that runs it.
      type: str
      sample: sidekiq.service
    before:
      description: Its process ID before the restart. V(0) if it did not run.
      type: int
      sample: 4098
    main_pid:
      description: Its process ID now. V(0) if it does not run.
      type: int
      sample: 4711
warnings:
  description: What you may want to know, such as that little can be told of a program that is not Sidekiq itself.
  returned: if there are any
  type: list
  elements: str
"""
