# SPDX-License-Identifier: GPL-3.0-or-later
# config/ssh_config says where the hosts are, and which key they take.
File.read("config/ssh_config").scan(/^Host (.*)/) do |name,|
  server name, user: "deploy", roles: %w[app], ssh_options: { config: "config/ssh_config", user_known_hosts_file: "config/known_hosts" }
end
