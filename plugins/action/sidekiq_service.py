# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs sidekiq_service on the host. What it does there, the compiled program decides; see plugins/modules for its options."""

from __future__ import annotations

from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils.run import CompiledModule


class ActionModule(CompiledModule):
    module = "sidekiq_service"
