# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migrating.md: away from several copies of a unit by its commands, and from capistrano-sidekiq's unit by what the warning says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import APP, ROOT, Host, tool
from guides import blocks, run
from system import NOTIFIES

SEED_UNIT = (Path(__file__).parent / "seed.service").read_text()
LEDGER = f"{APP}/shared/tmp/ledger"
COPIES = ["sidekiq-1", "sidekiq-2"]
JOBS = [f"job-{n}" for n in range(12)]


def test_several_copies_become_one_service_and_no_job_is_lost(host: Host) -> None:
    for name in COPIES:
        host.sh(f"cat >/lib/systemd/system/{name}.service", stdin=SEED_UNIT.replace("SyslogIdentifier=sidekiq", f"SyslogIdentifier={name}"))
        host.sh(f"systemctl daemon-reload; systemctl enable -q --now {name}")
    host.sh(f"cd {APP}/current && for job in {' '.join(JOBS)}; do runuser -u deploy -- bin/push Sleep $job 5 {LEDGER}; done")
    host.wait("[ $(pgrep -u deploy -fc 'sidekiq .*[12] of 2 busy') = 2 ]")
    forgotten = host.converge(check=True, processes=2)
    for name in COPIES:
        assert any(f"disable --now {name}.service" in warning for warning in forgotten["warnings"]), forgotten
    for block in blocks(ROOT / "docs/migrating.md"):
        run(host, block)
    result = host.converge(processes=2)
    assert result["changed"] and not result.get("failed") and not result.get("warnings"), result
    assert host.out("pgrep -u deploy -fc '^sidekiq [0-9]'") == "2"
    host.wait(f"test $(sort -u {LEDGER} | wc -l) = {len(JOBS)}", timeout=120)
    assert host.out("systemctl list-unit-files --no-legend 'sidekiq*' | awk '{print $1}' | sort").split() == [
        "sidekiq.service",
        "sidekiq@1.service",
        "sidekiq@2.service",
    ]
    assert not host.converge(processes=2)["changed"]


# As capistrano-sidekiq 3 writes it for the deploy user's own systemd. Where Sidekiq cannot notify it is simple.
USER_UNIT = f"""[Unit]
Description=Sidekiq for laevigata (production)
After=syslog.target network.target

[Service]
Type={"notify" if NOTIFIES else "simple"}
NotifyAccess=all
WorkingDirectory={APP}/current
ExecStart=/usr/local/bin/bundle exec sidekiq -e production --config config/sidekiq.yml
RestartSec=1
Restart=always
SyslogIdentifier=laevigata_sidekiq_production

[Install]
WantedBy=default.target
"""


def as_deploy(host: Host, script: str, stdin: str = "") -> None:
    """Runs a script in a session of the deploy user, which only a login has: systemctl --user needs one."""
    tool("ssh", f"deploy@{host.name}", script, input=stdin, stdout=subprocess.DEVNULL)


@pytest.fixture
def lingering(host: Host) -> Iterator[Host]:
    """A host whose deploy user has a systemd of its own, also while nobody is logged in."""
    host.sh("loginctl enable-linger deploy")
    yield host
    host.sh("loginctl disable-linger deploy; loginctl terminate-user deploy; rm -rf /home/deploy/.config", check=False)


@pytest.mark.long
def test_the_warning_rids_the_host_of_capistrano_sidekiqs_service(lingering: Host) -> None:
    host, name = lingering, "laevigata_sidekiq_production"
    as_deploy(host, f"mkdir -p .config/systemd/user && cat >.config/systemd/user/{name}.service", stdin=USER_UNIT)
    as_deploy(host, f"systemctl --user daemon-reload && systemctl --user enable --now {name}")
    for job in JOBS[:6]:
        host.push("Sleep", job, "5", LEDGER)
    host.wait("pgrep -u deploy -f 'sidekiq .*[12] of 2 busy'")
    [warning] = host.converge()["warnings"]
    assert host.out("pgrep -u deploy -fc '^sidekiq [0-9]'") == "2"
    remedy = re.search(r"disable and stop that unit by `(sudo -u deploy [^`]*)`.*and remove its file$", warning)
    assert remedy, warning
    host.sh(f"{remedy[1]} disable --now {name} && rm /home/deploy/.config/systemd/user/{name}.service")
    result = host.converge()
    assert not result["changed"] and not result.get("warnings"), result
    assert host.out("pgrep -u deploy -f '^sidekiq [0-9]'") == str(host.main_pid())
    host.wait(f"test $(sort -u {LEDGER} | wc -l) = 6", timeout=90)


# What its system mode needs, in a file of deploy's rights as people write them.
GEMS_RULES = """\
deploy ALL=(ALL) NOPASSWD: /bin/mv /tmp/laevigata_sidekiq_production.service /etc/systemd/system/laevigata_sidekiq_production.service
deploy ALL=(ALL) NOPASSWD: /bin/rm -f -- /etc/systemd/system/laevigata_sidekiq_production.service, /bin/systemctl daemon-reload, \\
  /bin/systemctl enable laevigata_sidekiq_production.service
"""


@pytest.mark.long
def test_the_rights_and_the_unit_that_make_deploy_root_are_told_of_with_what_to_remove(host: Host) -> None:
    unit, rules = "/etc/systemd/system/laevigata_sidekiq_production.service", "/etc/sudoers.d/cap-sidekiq"
    host.sh(f"cat >{unit}; chown deploy: {unit}; systemctl daemon-reload", stdin=USER_UNIT)
    host.sh(f"cat >{rules}; chmod 440 {rules}", stdin=GEMS_RULES)
    host.sh("cat >/etc/sudoers.d/role; chmod 440 /etc/sudoers.d/role", stdin="deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq\n")
    warnings = host.converge()["warnings"]
    print("\n".join(warnings))
    assert warnings[0].startswith(f"{unit} has root run Sidekiq, since it has no User=, and belongs to the user with the id 1000"), warnings
    assert any(w.endswith("removed with: rm /etc/sudoers.d/role") for w in warnings), warnings
    (root,) = [w for w in warnings if "can become root" in w]
    assert f"/bin/mv /tmp/laevigata_sidekiq_production.service {unit} in {rules}" in root and f"production.service in {rules}" in root, root
    host.sh(f"rm {unit} {rules} /etc/sudoers.d/role; systemctl daemon-reload")
    host.converge(state="absent")
    assert "warnings" not in host.converge()


@pytest.mark.long
def test_the_warning_rids_the_host_of_instances_of_a_template(host: Host) -> None:
    """As capistrano-sidekiq 2 has them, which may be several, set to be the system's units."""
    template = "/etc/systemd/system/laevigata_sidekiq_production@.service"
    system_unit = USER_UNIT.replace("[Service]", "[Service]\nUser=deploy").replace("default.target", "multi-user.target")
    host.sh(f"cat >{template}", stdin=system_unit)
    host.sh("systemctl daemon-reload; systemctl enable -q --now laevigata_sidekiq_production@1 laevigata_sidekiq_production@2")
    [warning] = host.converge()["warnings"]
    host.sh(warning.split("remove it: ")[1])
    result = host.converge()
    assert not result["changed"] and not result.get("warnings"), result
    host.wait("test $(pgrep -u deploy -fc '[s]idekiq') = 1")
    assert host.out("find /etc/systemd/system -name '*laevigata*'") == ""
