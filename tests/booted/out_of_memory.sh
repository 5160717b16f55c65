#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# out_of_memory.sh UNIT: run by test_out_of_memory.py inside a host of limited memory. Three jobs run under the unit, two of them with a
# child process; the child of the third takes all the memory there is. Prints as JSON what became of the service and of the other two.
set -euo pipefail
exec 2>&1

# bin/push would have a job that fails tried again.
push() {
  runuser -u deploy -- ruby -W0 -rsidekiq -e 'Sidekiq::Client.push("class" => ARGV.shift, "args" => ARGV, "retry" => false)' "$@" >/dev/null
}
property() { systemctl show --value --property="$1" sidekiq; }

ledger=/opt/laevigata/shared/tmp/ledger
# On this kernel's hostfs, a file that deploy makes would belong to root.
install -o deploy -g deploy /dev/null "$ledger"
until redis-cli ping >/dev/null; do sleep 0.5; done
if [[ $1 == ours ]]; then
  /root/sidekiq_service - </root/request.json >/root/result.json
else
  systemctl start sidekiq
fi
push Sleep sleeping 90
push Child with-a-child 90
until [[ $(redis-cli llen queue:default) == 0 ]]; do sleep 0.5; done
push Devour
until journalctl -k --grep 'Memory cgroup out of memory' >/dev/null; do sleep 1; done
sleep 150
lost=()
for job in sleeping with-a-child; do
  grep -qx "$job" "$ledger" || lost+=("\"$job\"")
done
printf '{"restarts": %s, "state": "%s", "lost": [%s], "policy": "%s"}\n' \
  "$(property NRestarts)" "$(property ActiveState)" "$(IFS=, && echo "${lost[*]}")" "$(property OOMPolicy)"
