# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in the hands of a person at a shell: what it would do and did, in words."""

from __future__ import annotations

from conftest import SUDOERS, UNIT, Host

OPTIONS = '{"project_name": "laevigata"}'


def test_check_tells_in_words_what_apply_then_does(host: Host) -> None:
    before = host.snapshot()
    check = host.out("/root/sidekiq_service --check --diff -", stdin=OPTIONS)
    assert host.snapshot() == before
    apply = host.out("/root/sidekiq_service --apply --diff -", stdin=OPTIONS)
    assert check.startswith("This would be done:\n  write ")
    assert check.endswith("Nothing has been changed.")
    said = check.removeprefix("This would be done:").removesuffix("\n\nNothing has been changed.")
    assert apply == "Done:" + said
    for line in (f"--- {UNIT} (absent)", f"+++ {UNIT} (mode 0644, owner 0:0)", f"+++ {SUDOERS} (mode 0440, owner 0:0)", "+User=deploy"):
        assert line in said.splitlines(), said
    assert host.show("ActiveState") == {"ActiveState": "active"}
    again = host.out("/root/sidekiq_service --check", stdin=OPTIONS)
    assert again == "Nothing to do: everything is as these options ask for."


def test_a_change_is_shown_with_the_lines_around_it_alone(host: Host) -> None:
    host.converge()
    check = host.out("/root/sidekiq_service --check --diff", stdin='{"project_name": "laevigata", "umask": "0027"}')
    assert "\n-UMask=0002\n+UMask=0027\n" in check, check
    assert f"--- {UNIT} (mode 0644, owner 0:0)\n" in check, check
    assert SUDOERS not in check, check
    assert "ExecStart" not in check, check


def test_what_went_wrong_is_said_in_words_too(host: Host) -> None:
    failed = host.sh("/root/sidekiq_service --apply -", check=False, stdin='{"project_name": "laevigata", "exec_start": "/bin/false"}')
    assert failed.returncode == 1
    assert "This was to be done:\n  write " in failed.stdout
    assert "\nError: cannot " in failed.stdout, failed.stdout
    assert "exited with status 1" in failed.stdout, failed.stdout
    assert "everything is as it was before" in failed.stdout


def test_who_is_not_root_is_told_so(host: Host) -> None:
    host.sh("install -m 755 /root/sidekiq_service /usr/local/bin/sidekiq_service")
    refused = host.sh("runuser -u deploy -- sidekiq_service --check", check=False, stdin=OPTIONS)
    assert (refused.returncode, refused.stdout.startswith("Error: this must run as root")) == (1, True), refused.stdout


def test_usage_and_version_need_no_root(host: Host) -> None:
    host.sh("install -m 755 /root/sidekiq_service /usr/local/bin/sidekiq_service")
    assert host.out("runuser -u deploy -- sidekiq_service --version").startswith("sidekiq_service 1.")
    assert "--check" in host.out("runuser -u deploy -- sidekiq_service --help")
    wrong = host.sh("sidekiq_service", check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Usage:" in wrong.stderr
