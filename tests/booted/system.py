# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system has that the hosts of this run have: SIDEKIQ_SUITE says which (bookworm). Tests ask for what a system can, not for its name."""

from __future__ import annotations

import os

SUITE = os.environ.get("SIDEKIQ_SUITE", "bookworm")

# systemd, the Sidekiq that is packaged, and sudo.
VERSIONS = {
    "bullseye": (247, "6.0.4", "1.9.5"),
    "bookworm": (252, "6.4.1", "1.9.13"),
    "trixie": (257, "7.3.2", "1.9.16"),
    "forky": (262, "8.1.7", "1.9.17"),
    "xenial": (229, "4.0.1", "1.8.16"),
    "bionic": (237, "5.0.4", "1.8.21"),
    "focal": (245, "5.2.7", "1.8.31"),
    "jammy": (249, "6.3.1", "1.9.9"),
    "noble": (255, "6.5.12", "1.9.15"),
    "resolute": (259, "7.3.2", "1.9.17"),
}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


SYSTEMD, SIDEKIQ_VERSION, SUDO_VERSION = VERSIONS[SUITE]
SIDEKIQ, SUDO = numbers(SIDEKIQ_VERSION), numbers(SUDO_VERSION)

# Where root finds it: /bin is the same as /usr/bin but on older Ubuntus.
SYSTEMCTL = "/bin/systemctl" if SUITE in ("xenial", "bionic") else "/usr/bin/systemctl"

NOTIFIES = SIDEKIQ >= (6, 0, 6)  # this Sidekiq tells systemd when it is up
HAS_TIME_ZONES = SUITE not in ("bionic", "focal", "jammy", "noble")  # a small Ubuntu has none, and its Rails does not bring them
SUDO_PROGRAM = "sudo.ws" if SUITE == "resolute" else "sudo"  # ansible-core up to 2.19.14 cannot give a password to sudo-rs
DOAS_PACKAGE = {"xenial": "", "bionic": "", "focal": "", "bullseye": "doas", "jammy": "doas"}.get(SUITE, "opendoas")  # "": there is none
RUNS_MODULES = SUITE not in ("xenial", "bionic")  # this Python is new enough for ansible-core's own modules
SHOWS_CONFIGURATION = SYSTEMD > 237  # systemd-analyze tells how journald is set up
PREFERS_GEMS_RB = SUITE not in ("xenial", "bionic")  # this Bundler takes gems.rb for a Gemfile, and before one
COUNTS_RESTARTS = SYSTEMD >= 235  # this systemd counts how often it has started a service anew by itself
NOT_RESTARTED = {"NRestarts": "0"} if COUNTS_RESTARTS else {}
KNOWS_EXEC = SYSTEMD >= 240  # this systemd knows Type=exec
KNOWS_EXTEND = SYSTEMD >= 236  # and programs that ask it for more time
KNOWS_STEPS = SYSTEMD >= 254  # and RestartSteps=, and UpheldBy=
TYPE = "notify" if NOTIFIES else "exec" if KNOWS_EXEC else "simple"  # what `auto` comes to
TYPES = [*(["notify"] if NOTIFIES else []), *(["exec"] if KNOWS_EXEC else []), "simple"]
