# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs sidekiq_service_verify on the host. What it does there, the compiled program decides; see plugins/modules for its options."""

from __future__ import annotations

from typing import Any

from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils.run import CompiledModule


class ActionModule(CompiledModule):
    module = "sidekiq_service_verify"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the module. What it has found is shown without -v, as what a debug task says is."""
        return {**super().run(tmp, task_vars), "_ansible_verbose_always": True}
