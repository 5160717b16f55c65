# SPDX-License-Identifier: GPL-3.0-or-later
# config/ssh_config says where the host is, and which key it takes.
server File.read("config/ssh_config")[/^Host (.*)/, 1],
       user: "deploy", roles: %w[app], ssh_options: { config: "config/ssh_config", user_known_hosts_file: "config/known_hosts" }
