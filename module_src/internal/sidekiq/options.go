// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

// Options are the options of the module: names, types, choices and defaults.
// The DOCUMENTATION in plugins/modules/sidekiq_service.py says the same in
// prose, and a test compares the two. No default here means none, or one that
// [Parse] or [Service.Want] works out from other options or from the host.
func Options() ansible.Schema {
	return ansible.Schema{
		{Name: "name", Type: ansible.Str, Default: "sidekiq"},
		{Name: "state", Type: ansible.Str, Default: string(Started), Choices: []string{
			string(Started), string(Stopped), string(Restarted), string(Quiet), string(Present), string(Absent),
		}},
		{Name: "enabled", Type: ansible.Bool, Default: true},

		{Name: "project_name", Type: ansible.Str},
		{Name: "working_directory", Type: ansible.Path},
		{Name: "user", Type: ansible.Str, Default: "deploy"},
		{Name: "group", Type: ansible.Str},
		{Name: "umask", Type: ansible.Str, Default: "0002"},

		{Name: "app_env", Type: ansible.Str, Default: "production"},
		{Name: "config_file", Type: ansible.Str, Default: "config/sidekiq.yml"},
		{Name: "bundle", Type: ansible.Path},
		{Name: "login_shell", Type: ansible.Bool, Default: false},
		{Name: "exec_start", Type: ansible.Str},
		{Name: "queues", Type: ansible.List, Elements: ansible.Str},
		{Name: "concurrency", Type: ansible.Int},
		{Name: "processes", Type: ansible.Int, Default: 1},

		{Name: "type", Type: ansible.Str, Default: "auto", Choices: []string{"auto", "notify", "exec", "simple"}},
		{Name: "watchdog_sec", Type: ansible.Int, Default: 60},
		{Name: "restart", Type: ansible.Str, Default: "always", Choices: []string{
			"always", "on-failure", "on-abnormal", "on-abort", "on-success", "no",
		}},
		{Name: "restart_sec", Type: ansible.Int},
		{Name: "start_timeout", Type: ansible.Int, Default: 300},
		{Name: "timeout_stop_sec", Type: ansible.Int},

		{Name: "env", Type: ansible.Dict},
		{Name: "env_files", Type: ansible.List, Elements: ansible.Str},
		{Name: "log_file", Type: ansible.Path},

		{Name: "redis_unit", Type: ansible.Str, Default: "auto"},
		{Name: "after", Type: ansible.List, Elements: ansible.Str},
		{Name: "wants", Type: ansible.List, Elements: ansible.Str},
		{Name: "wanted_by", Type: ansible.List, Elements: ansible.Str, Default: []string{"multi-user.target"}},

		{Name: "hardening", Type: ansible.Str, Default: "none", Choices: []string{"none", "basic", "strict"}},
		{Name: "directives", Type: ansible.Dict},

		{Name: "sudo", Type: ansible.Bool, Default: true},
		{Name: "sudo_users", Type: ansible.List, Elements: ansible.Str},
		{Name: "sudo_groups", Type: ansible.List, Elements: ansible.Str, Default: []string{}},
		{
			Name: "sudo_commands", Type: ansible.List, Elements: ansible.Str,
			Default: []string{"start", "stop", "restart", "reload", "status"},
			Choices: SudoVerbs(),
		},
		{Name: "sudoers_file", Type: ansible.Path},

		{Name: "unit_dir", Type: ansible.Path, Default: "/lib/systemd/system"},
		{Name: "restart_on_change", Type: ansible.Bool, Default: true},
		{Name: "on_failure", Type: ansible.Str, Default: "rollback", Choices: []string{"rollback", "keep"}},
		{Name: "replace", Type: ansible.Bool, Default: false},
	}
}
