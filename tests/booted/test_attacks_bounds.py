# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploy user cannot make root work for long or hold much: whatever he puts where the program looks, it ends, in little memory, and at once
when it is told to end.

What its log may hold is in test_words, too. The control, "by hand", is how much there is to read: all of it by somebody who looks with cat.
"""

from __future__ import annotations

import base64
import json
import time

import pytest
from conftest import APP, Host
from figures import OURS, SEED, record
from system import KNOWS_EXEC

MOST = 64 << 10  # KiB of resident memory
SECONDS = 20  # of a run; a machine that is busy may take some of them

USERS_UNITS = "/home/deploy/.config/systemd/user"
UNIT_TEXT = r"WorkingDirectory=/opt/laevigata/current\nExecStart=/usr/bin/bundle exec sidekiq\n"
FAILS = {"exec_start": "/bin/sh /opt/laevigata/shared/tmp/fails", "type": "exec" if KNOWS_EXEC else "simple", "start_timeout": 60}
SAYS = f"f={APP}/shared/tmp/fails"
LONG = {"log_file": f"{APP}/shared/log/long.log"}

# By what it is: a script of the deploy user's, options, and what prints how many bytes there are to read.
FLOODS: dict[str, tuple[str, dict[str, object], str]] = {
    "300 units of his own, of continued lines": (
        f"mkdir -p {USERS_UNITS}; cd {USERS_UNITS}; ruby -e 'u = %q([Service]) + %Q(\\nX=) + %Q(a\\\\\\n) * 340_000 + %Q(\\n{UNIT_TEXT});"
        " 300.times { |n| File.write(%Q(u#{n}.service), u) }'",
        {},
        f"cat {USERS_UNITS}/* | wc -c",
    ),
    "100,000 files beside them": (
        f"mkdir -p {USERS_UNITS}; cd {USERS_UNITS}; ruby -e '100_000.times {{ |n| File.write(%Q(#{{n}}.service), %q(x)) }}'",
        {},
        f"ls -f {USERS_UNITS} | wc -c",
    ),
    "an env file of 100,000 values": (
        f"ruby -e 'File.write(%q({APP}/shared/env), (1..75_000).map {{ |n| %Q(A#{{n}}=v#{{n}}\\n) }}.join)'",
        {"env_files": [f"{APP}/shared/env"]},
        f"wc -c <{APP}/shared/env",
    ),
    "an env file of lines that systemd ignores": (
        f"ruby -e 'File.write(%q({APP}/shared/env), %Q(x\\n) * 520_000)'",
        {"env_files": [f"{APP}/shared/env"]},
        f"wc -c <{APP}/shared/env",
    ),
    "1,000 processes with titles like Sidekiq's": (
        f'cd {APP}/current; for i in $(seq 1000); do (exec -a "sidekiq 6.4.1 $(printf %03000d $i) [0 of 5 busy]" sleep 300 >/dev/null 2>&1 &); done; sleep 2',
        {},
        "cat /proc/[0-9]*/cmdline 2>/dev/null | wc -c",
    ),
    "a log like 1,000 exceptions": (
        f"{SAYS}; echo 'ruby -e \"1000.times {{ |n| puts %q(/a/b.rb:1:in x: ) + %q(a:b (E) ) * 120 }}\"; exit 1' >$f",
        {**FAILS, **LONG},
        "echo 1000000",
    ),
    "a Gemfile.lock of 1 MB": (f"f=$(readlink -f {APP}/current/Gemfile.lock); rm -f $f; head -c 1000000 /dev/zero | tr '\\0' '\\n' >$f", {}, "echo 1000000"),
}

# Runs the program in the background, and prints its highest resident memory in KiB, the seconds that it took, and its result.
RUN = """
began=$(date +%s.%N); /root/sidekiq_service - </root/request >/root/result 2>/root/said & pid=$!
while kill -0 $pid 2>/dev/null; do awk '/VmHWM/ { print $2 }' /proc/$pid/status >>/root/peak 2>/dev/null; sleep 0.01; done
wait $pid; sort -n /root/peak | tail -1; echo "$(date +%s.%N) $began" | awk '{ print $1 - $2 }'; cat /root/result; rm -f /root/peak
"""
# The same, told to end after a moment. Prints the seconds that it took since.
END = """
/root/sidekiq_service - </root/request >/root/result 2>&1 & pid=$!; sleep %s; began=$(date +%%s.%%N); kill -TERM $pid 2>/dev/null; wait $pid
echo "$(date +%%s.%%N) $began" | awk '{ print $1 - $2 }'
"""


@pytest.fixture(scope="module", autouse=True)
def pristine(machine: Host) -> None:
    machine.sh(f"cp -a {APP} /root/pristine")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if n == 0 else pytest.mark.long) for n, name in enumerate(FLOODS)])
def test_whatever_is_there_to_read_costs_little(host: Host, name: str) -> None:
    script, options, size = FLOODS[name]
    host.sh(f"pkill -u deploy sleep; rm -rf {APP} {USERS_UNITS}; cp -a /root/pristine {APP}", check=False)
    host.sh(f"echo {base64.b64encode(script.encode()).decode()} | base64 -d >/tmp/flood; chmod 644 /tmp/flood; runuser -u deploy -- bash /tmp/flood")
    to_read = int(host.out(size))
    fails = options.get("exec_start") is not None
    request = {"project_name": "laevigata", "_ansible_check_mode": not fails, "_ansible_diff": True, **options}
    host.sh("cat >/root/request", stdin=json.dumps(request))
    peak, seconds, text = host.out(RUN, timeout=120).split("\n", 2)
    result = json.loads(text)
    assert len(text) < 200_000 and len(result.get("warnings", [])) < 250, text[:2000]
    assert fails == bool(result.get("rolled_back")), result
    after = {moment: float(host.out(END % moment, timeout=120)) for moment in (0.1, 0.5)}
    record(f"flood: {name}", SEED, got=f"{max(to_read // 1_000_000, 1)} MB read")
    record(f"flood: {name}", OURS, got=f"{int(peak) // 1024} MB held, {float(seconds):.1f} s")
    host.sh(f"pkill -u deploy sleep; rm -rf {USERS_UNITS} {APP}/shared/log/long.log", check=False)
    assert int(peak) < MOST and float(seconds) < SECONDS, (peak, seconds)
    assert max(after.values()) < (3 if fails else 1), after  # a rollback waits for the service to stop


def test_control_the_figures_are_taken(host: Host) -> None:
    """A program that holds much is seen to."""
    host.sh("cat >/root/hold", stdin="x = %q(x) * 100_000_000; sleep 1; puts %q({})")
    began = time.monotonic()
    peak = host.out(RUN.replace("/root/sidekiq_service -", "ruby /root/hold").replace("/root/request", "/dev/null")).split("\n")[0]
    assert int(peak) > MOST and time.monotonic() - began > 1
