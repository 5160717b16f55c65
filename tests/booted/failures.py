# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which a Sidekiq does not come up, each brought about for real: what test_words.py tries, and what the samples of
module_src/internal/sidekiq/testdata/failures are recorded from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from system import SIDEKIQ

CURRENT = "/opt/laevigata/current"
RAILS_GEMS = 'source "https://rubygems.org"\ngem "sidekiq"\ngem "rails"\ngem "pg"\ngem "sqlite3"\n'

# The smallest Rails application, for Rails 6.1 and 7.2. {version}: of Rails, as load_defaults takes it.
RAILS_APP = {
    "config/application.rb": """
require "bundler/setup"
require "rails"
require "active_record/railtie"
require "active_job/railtie"
Bundler.require(*Rails.groups)
module Laevigata
  class Application < Rails::Application
    config.load_defaults Rails::VERSION::STRING[/\\A\\d+\\.\\d+/] if config.respond_to?(:load_defaults) # Rails 4.2 has none
    config.active_job.queue_adapter = :sidekiq
    config.eager_load = true
    MORE
  end
end
""",
    "config/environment.rb": 'require_relative "application"\nRails.application.initialize!\nMORE_ENVIRONMENT\n',
    "config/environments/production.rb": "Rails.application.configure { config.consider_all_requests_local = false }\n",
    "config/database.yml": "production:\n  adapter: sqlite3\n  database: db/production.sqlite3\n",
    "app/models/application_record.rb": "class ApplicationRecord < ActiveRecord::Base\n  self.abstract_class = true\nend\n",
    "config/sidekiq.yml": "---\n:concurrency: 2\n",
}


@dataclass
class Failure:
    """One way to fail. cause: words of the likely cause; "": none may be named. shown: words of the log that have to be among the last
    lines. code: Ruby put at the top of the application. prepare: a shell script, run as root in the application's directory; files: put
    there. only: the suites it can be brought about on."""

    cause: str
    shown: str
    code: str = ""
    prepare: str = ""
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ("bullseye", "bookworm", "trixie")


def address(told: str, otherwise: str) -> str:
    """What is shown where a Redis cannot be used. Since 7 Sidekiq writes its whole URL, which is the value of a variable and so is hidden."""
    return told if SIDEKIQ < (7,) else otherwise


def gemfile(more: str) -> dict[str, str]:
    return {"Gemfile": f'source "https://rubygems.org"\ngem "sidekiq"\n{more}\n'}


def rails(more: str = "", environment: str = "", **files: str) -> dict[str, str]:
    app = {name: text.replace("MORE_ENVIRONMENT", environment).replace("MORE", more) for name, text in RAILS_APP.items()}
    return {"Gemfile": RAILS_GEMS, **app, **files}


RESOLVE = "rm -f Gemfile.lock; runuser -u deploy -- bundle install --local --quiet"
SECRET = {"env": {"SECRET_KEY_BASE": "0123456789abcdef0123456789abcdef"}}


def server(port: int, *words: str, then: str = "") -> str:
    """A Redis of one's own on that port."""
    run = " ".join(words)
    return (
        f"systemctl stop words-redis 2>/dev/null; systemctl reset-failed words-redis 2>/dev/null; install -d -o redis /run/words-redis;"
        f" systemd-run --quiet --unit=words-redis -p User=redis"
        f" redis-server --port {port} --dir /run/words-redis --save '' {run};"
        f" for i in 1 2 3 4 5 6 7 8 9 10; do redis-cli -p {port} ping 2>&1 | grep -q . && break; sleep 0.2; done; sleep 0.3; {then}"
    )


def redis(url: str) -> dict[str, Any]:
    return {"env": {"REDIS_URL": url}}


PUSH = 'Sidekiq::Client.push("class" => "WriteFile", "args" => ["/tmp/x"])'
AT_END = f"END_OF_APP\n{PUSH}\n"  # after the classes, as an initializer does that schedules jobs

# What a gem that reports errors or coverage writes when the process ends, after the error itself.
LAST_WORDS_OF_GEMS = 'at_exit { 40.times { |i| warn "[reporter] flushing batch #{i}: Connection refused by collector.example:4317" } }\n'

DATABASE = 'require "active_record"\nActiveRecord::Base.establish_connection({})\nActiveRecord::Base.connection.execute("select 1 from works")\n'

FAILURES: dict[str, Failure] = {
    # Bundler and gems
    "missing gem": Failure("bundle install", "nokogirl", files=gemfile('gem "nokogirl"')),
    "missing locked gem": Failure(
        "bundle install",
        "rack",
        prepare=r"sed -i 's/^\(    rack (\).*)/\19.9.9)/' Gemfile.lock",
    ),
    "wrong Ruby": Failure("another Ruby", "Your Ruby version is", files=gemfile('ruby "3.9.9"')),
    "git gem": Failure(
        "bundle install",
        "hyrax-tools",
        files=gemfile('gem "hyrax-tools", git: "https://git.example.org/hyrax-tools.git"'),
        prepare="sed -i '1i GIT\\n  remote: https://git.example.org/hyrax-tools.git\\n  revision: 0123456789abcdef0123456789abcdef01234567\\n"
        "  specs:\\n    hyrax-tools (1.0.0)\\n' Gemfile.lock; sed -i 's/^  sidekiq$/  hyrax-tools!\\n  sidekiq/' Gemfile.lock",
    ),
    "bundler version": Failure(
        "Bundler",
        "9.9.9",
        prepare="sed -i 's/^   [0-9.]*$/   9.9.9/' Gemfile.lock",
        only=("bullseye",),
    ),
    "frozen lock": Failure("Gemfile.lock", "emfile", files=gemfile('gem "rack"'), options={"env": {"BUNDLE_FROZEN": "true"}}),
    "Gemfile syntax": Failure("Gemfile", "parsing", files=gemfile("gem (")),
    "no Gemfile": Failure("no Gemfile", "Could not locate Gemfile", prepare="rm Gemfile"),
    # The application's own code
    "missing file": Failure("cannot load such file -- laevigata/none", "laevigata/none (LoadError)", code='require "laevigata/none"\n'),
    "missing relative file": Failure("cannot load such file", "lib/none (LoadError)", code='require_relative "lib/none"\n'),
    "syntax": Failure("syntax", "app.rb:", code="def x\n  [1, 2\nend\n"),
    "required syntax": Failure("syntax", "broken.rb:", code='require_relative "broken"\n', files={"broken.rb": "class Work\n  def x(\n  end\nend\n"}),
    "not implemented": Failure(
        "", "fork() is not for this machine (NotImplementedError)", code='raise NotImplementedError, "fork() is not for this machine"\n'
    ),
    "uninitialized constant": Failure("constant", "uninitialized constant Lavigata", code="Lavigata.setup\n"),
    "no method": Failure("its own code", "undefined method", code="nil.setup\n"),
    "frozen": Failure("its own code", "frozen", code='"x".freeze << "y"\n'),
    "stack": Failure("its own code", "stack level too deep", code="def deep; deep; end\ndeep\n"),
    "plain error": Failure("", "the licence server says no", code='raise "the licence server says no"\n'),
    "error of several lines": Failure("", "second line of it", code='raise "first line of it\\nsecond line of it"\n'),
    "own class": Failure("", "no licence for 3 hosts", code='class LicenceError < StandardError; end\nraise LicenceError, "no licence for 3 hosts"\n'),
    "abort": Failure("", "no licence", code='abort "no licence"\n'),
    "exit": Failure("", "exited", code="exit 3\n"),
    "chain": Failure(
        "port 8983",
        "cannot set up the index",
        code='require "socket"\nbegin\n  TCPSocket.new("127.0.0.1", 8983)\nrescue => e\n  raise ScriptError, "cannot set up the index"\nend\n',
    ),
    "chain of standard errors": Failure(
        "", "cannot set up the index", code='require "socket"\nbegin\n  TCPSocket.new("127.0.0.1", 8983)\nrescue => e\n  raise "cannot set up the index"\nend\n'
    ),
    # The environment
    "environment variable": Failure("FEDORA_URL", 'key not found: "FEDORA_URL"', code='ENV.fetch("FEDORA_URL")\n'),
    "key of a hash": Failure("its own code", "key not found: :fedora", code="{}.fetch(:fedora)\n"),
    "locale": Failure(
        "LANG", "US-ASCII", code='File.read("names.txt").split(" ")\n', files={"names.txt": "Müller Łódź\n"}, options={"env": {"LC_ALL": "C", "LANG": "C"}}
    ),
    "env ruby": Failure(
        "PATH",
        "ruby",
        prepare="printf '#!/usr/bin/env ruby\\nputs 1\\n' >/usr/local/bin/env-ruby; chmod 755 /usr/local/bin/env-ruby",
        options={"exec_start": "/usr/local/bin/env-ruby exec sidekiq", "env": {"PATH": "/opt/none/bin"}},
    ),
    "bundle in a login shell": Failure(
        ".profile",
        "bundle",
        options={"login_shell": True, "bundle": "bundle", "env_files": ["-/etc/none"]},  # or it is asked for before anything is started
        prepare="printf 'PATH=/opt/none\\n' >/home/deploy/.bash_profile",
    ),
    "interpreter": Failure(
        "interpreter",
        "stale",
        prepare="printf '#!/opt/none/bin/ruby\\n' >/usr/local/bin/stale; chmod 755 /usr/local/bin/stale",
        options={"exec_start": "/bin/bash -c 'exec /usr/local/bin/stale'"},
    ),
    "no program": Failure("sidekick", "sidekick", options={"exec_start": "/bin/bash -c 'exec sidekick -e production'"}),
    "log file": Failure("log_file", "/var/log/laevigata.log", options={"log_file": "/var/log/laevigata.log"}),
    "log file in a login shell": Failure("log_file", "/var/log/laevigata.log", options={"log_file": "/var/log/laevigata.log", "login_shell": True}),
    "rbenv": Failure(
        "rbenv install 3.9.9",
        "is not installed",
        prepare="install -d -o deploy /home/deploy/.rbenv/versions/1.0.0/bin; install -o deploy /bin/true /home/deploy/.rbenv/versions/1.0.0/bin/bundle;"
        " chown -R deploy /home/deploy/.rbenv; echo 3.9.9 >.ruby-version; printf 'PATH=$HOME/.rbenv/shims:$PATH\\n' >/home/deploy/.bash_profile;"
        " runuser -u deploy -- sh -c 'cd; HOME=/home/deploy rbenv rehash'",
        options={"login_shell": True},
    ),
    "removed flag": Failure(
        "no -L", "invalid option: -L", options={"exec_start": "/usr/local/bin/bundle exec sidekiq -e production -L log/x.log"}, only=("trixie",)
    ),
    "native library": Failure(
        "bundle pristine",
        "invalid ELF header",
        code='require "/opt/laevigata/current/broken.so"\n',
        files={"broken.so": "no library, but a file of some length, so that it is no header at all\n" * 20},
    ),
    # What the system refuses
    "address": Failure("does not have", "requested address", code='require "socket"\nTCPServer.new("192.0.2.1", 9394)\n'),
    "server name": Failure("resolv.conf", "getaddrinfo", code='require "socket"\nTCPSocket.new("solr.example.invalid", 8983)\n'),
    "permission": Failure("/etc/laevigata.conf", "/etc/laevigata.conf", code='File.write("/etc/laevigata.conf", "x")\n'),
    "unreadable": Failure("/etc/shadow", "/etc/shadow", code='File.read("/etc/shadow")\n'),
    "no such file": Failure("/opt/laevigata/none.yml", "No such file or directory", code='File.read("/opt/laevigata/none.yml")\n'),
    "read-only": Failure(
        "hardening",
        "Read-only file system",
        code='File.write("/opt/laevigata/current/x", "x")\n',
        options={"hardening": "basic", "directives": {"Service": {"ReadOnlyPaths": "/opt"}}},
    ),
    "port in use": Failure("6379", "Address already in use", code='require "socket"\nTCPServer.new("127.0.0.1", 6379)\n'),
    "disk full": Failure("full", "No space left on device", code='File.open("/dev/full", "w") { |f| f.write("x"); f.flush }\n'),
    "open files": Failure(
        "LimitNOFILE",
        "Too many open files",
        code='all = []\nloop { all << File.open("/dev/null") }\n',
        options={"directives": {"Service": {"LimitNOFILE": "64"}}},
    ),
    "memory": Failure("memory", "failed to allocate memory", code='"x" * (1 << 33)\n', options={"directives": {"Service": {"LimitAS": "2G"}}}),
    "crash": Failure("native", "[BUG] Segmentation fault", code="Process.kill(:SEGV, $$); sleep 5\n"),
    "killed": Failure("signal 9", "status=9/KILL", code="Process.kill(:KILL, $$); sleep 5\n"),
    # Redis
    "redis refused": Failure("Redis", "6398", options=redis("redis://127.0.0.1:6398")),
    "redis socket": Failure("Redis", "/run/none.sock", options=redis("unix:///run/none.sock")),
    "redis name": Failure("Redis", address("redis.example.invalid", "name resolution"), options=redis("redis://redis.example.invalid:6379")),
    "redis url": Failure("REDIS_URL", "scheme", options=redis("http://127.0.0.1:6379")),
    "redis without password": Failure("password", "NOAUTH", prepare=server(6391, "--requirepass geheimnis"), options=redis("redis://127.0.0.1:6391")),
    "redis wrong password": Failure(
        "password", "WRONGPASS", prepare=server(6391, "--requirepass geheimnis"), options=redis("redis://:falsches@127.0.0.1:6391")
    ),
    "redis needs no password": Failure("password", "AUTH", options=redis("redis://:falsches@127.0.0.1:6379"), only=("bullseye", "bookworm")),
    "redis plain for TLS": Failure("TLS", address("127.0.0.1:6379", "(hidden)"), options=redis("rediss://127.0.0.1:6379")),
    "redis certificate": Failure(
        "certificate",
        "certificate verify failed",
        prepare="openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -days 2 -subj /CN=localhost 2>/dev/null; chmod 644 /tmp/k.pem;"
        + server(0, "--tls-port 6392 --tls-cert-file /tmp/c.pem --tls-key-file /tmp/k.pem --tls-ca-cert-file /tmp/c.pem --tls-auth-clients no"),
        options=redis("rediss://127.0.0.1:6392"),
    ),
    "redis TLS for plain": Failure(
        "TLS",
        "",
        prepare="openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -days 2 -subj /CN=localhost 2>/dev/null; chmod 644 /tmp/k.pem;"
        + server(0, "--tls-port 6392 --tls-cert-file /tmp/c.pem --tls-key-file /tmp/k.pem --tls-ca-cert-file /tmp/c.pem --tls-auth-clients no"),
        options=redis("redis://127.0.0.1:6392"),
    ),
    "redis replica": Failure("replica", "READONLY", prepare=server(6393, "--replicaof 127.0.0.1 6379"), options=redis("redis://127.0.0.1:6393"), code=AT_END),
    "redis memory": Failure(
        "maxmemory",
        "OOM command not allowed",
        prepare=server(6394, "--maxmemory 1 --maxmemory-policy noeviction"),
        options=redis("redis://127.0.0.1:6394"),
        code=AT_END,
    ),
    "redis rights": Failure(
        "ACL", "NOPERM", prepare=server(6395, then="redis-cli -p 6395 acl setuser default -lpush"), options=redis("redis://127.0.0.1:6395"), code=AT_END
    ),
    "redis no rights": Failure(
        "ACL", "NOPERM", prepare=server(6395, then="redis-cli -p 6395 acl setuser default -info"), options=redis("redis://127.0.0.1:6395")
    ),
    "redis snapshots": Failure(
        "save",
        "MISCONF",
        prepare=server(
            6396,
            "--save 3600 1",
            then="redis-cli -p 6396 config set dbfilename x; rm -r /run/words-redis; redis-cli -p 6396 set a 1; redis-cli -p 6396 bgsave; sleep 1",
        ),
        options=redis("redis://127.0.0.1:6396"),
        code=AT_END,
    ),
    "redis database": Failure("database number", "DB index is out of range", options=redis("redis://127.0.0.1:6379/99")),
    "redis protected": Failure(
        "protected",
        "protected mode",
        prepare=server(6390, "--bind 0.0.0.0 --protected-mode yes"),
        options=redis("redis://HOST_ADDRESS:6390"),
        only=("bookworm", "trixie"),
    ),
    "redis cluster": Failure("cluster", "CLUSTERDOWN", prepare=server(6389, "--cluster-enabled yes"), options=redis("redis://127.0.0.1:6389"), code=AT_END),
    "redis command": Failure(
        "renamed", "unknown command", prepare=server(6388, "--rename-command LPUSH ''"), options=redis("redis://127.0.0.1:6388"), code=AT_END
    ),
    # Databases and Rails
    "database refused": Failure(
        "database",
        "127.0.0.1",
        files=rails(
            environment="ActiveRecord::Base.connection.execute('select 1')",
            **{"config/database.yml": "production:\n  adapter: postgresql\n  host: 127.0.0.1\n  port: 5999\n  database: laevigata\n"},
        ),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "database socket": Failure(
        "database",
        "PGSQL",
        files=rails(
            environment="ActiveRecord::Base.connection.execute('select 1')",
            **{"config/database.yml": "production:\n  adapter: postgresql\n  database: laevigata\n"},
        ),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "database file": Failure(
        "database",
        "",
        files=rails(
            environment="ActiveRecord::Base.connection.execute('select 1')",
            **{"config/database.yml": "production:\n  adapter: sqlite3\n  database: /opt/none/production.sqlite3\n"},
        ),
        prepare=RESOLVE,
        options=SECRET,
        only=("trixie",),
    ),
    "database table": Failure(
        "migrat",
        "no such table",
        files=rails(environment="ActiveRecord::Base.connection.execute('select 1 from works')"),
        prepare="install -d -o deploy db;" + RESOLVE,
        options=SECRET,
    ),
    "database not configured": Failure(
        "app_env",
        "database is not configured",
        files=rails(environment="ActiveRecord::Base.connection.execute('select 1')"),
        prepare=RESOLVE,
        options={**SECRET, "app_env": "staging"},
    ),
    "database adapter": Failure(
        "gem",
        "mysql2",
        files=rails(
            environment="ActiveRecord::Base.connection.execute('select 1')",
            **{"config/database.yml": "production:\n  adapter: mysql2\n  database: laevigata\n"},
        ),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "pending migration": Failure(
        "migrat",
        "igrations are pending",
        files=rails(
            environment="m = ActiveRecord::Migration; m.respond_to?(:check_all_pending!) ? m.check_all_pending! : m.check_pending!",
            **{
                "db/migrate/20260101000000_create_works.rb": "class CreateWorks < ActiveRecord::Migration[6.1]\n"
                "  def change\n    create_table :works\n  end\nend\n"
            },
        ),
        prepare="chown -R deploy db;" + RESOLVE,
        options=SECRET,
    ),
    "secret_key_base": Failure("SECRET_KEY_BASE", "secret_key_base", files=rails(environment="Rails.application.secret_key_base"), prepare=RESOLVE),
    "encryption key": Failure(
        "RAILS_MASTER_KEY",
        "Missing encryption key",
        files=rails(more="config.require_master_key = true", **{"config/credentials.yml.enc": "YWJj--YWJj--YWJj\n"}),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "wrong master key": Failure(
        "RAILS_MASTER_KEY",
        "",
        files=rails(
            environment="Rails.application.credentials.fedora",
            **{"config/credentials.yml.enc": "YWJjZGVmZ2hpamtsbW5vcA==--YWJjZGVmZ2hpamts--YWJjZGVmZ2hpamtsbW5vcA==\n"},
        ),
        prepare=RESOLVE,
        options={"env": {**SECRET["env"], "RAILS_MASTER_KEY": "0123456789abcdef0123456789abcdef"}},
    ),
    "Zeitwerk": Failure(
        "app/models/work.rb", "to define constant", files=rails(**{"app/models/work.rb": "class Wrok; end\n"}), prepare=RESOLVE, options=SECRET
    ),
    "Zeitwerk file": Failure(
        "which nothing has defined",
        "uninitialized constant",
        files=rails(**{"app/models/work.rb": "class Work < Base; end\n"}),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "YAML": Failure(
        "YAML",
        "database.yml",
        files=rails(environment="ActiveRecord::Base.connection.execute('select 1')", **{"config/database.yml": "production:\n  adapter: [sqlite3\n  x: y\n"}),
        prepare=RESOLVE,
        options=SECRET,
    ),
    "no Rails": Failure("no Rails application", "Rails application", prepare="printf -- '---\\n:concurrency: 2\\n' >config/sidekiq.yml"),
    "sidekiq.yml": Failure(
        "config_file", "did not find expected", prepare="rm config/sidekiq.yml; printf -- '---\\n:queues: [a\\n:b: c\\n' >config/sidekiq.yml"
    ),
    "command line": Failure("exec_start", "invalid option: --bogus", options={"exec_start": "/usr/local/bin/bundle exec sidekiq -e production --bogus"}),
    # What else is in the log
    "reporters": Failure("cannot load such file -- laevigata/none", "laevigata/none (LoadError)", code=LAST_WORDS_OF_GEMS + 'require "laevigata/none"\n'),
    "reporters after an error": Failure("", "the licence server says no", code=LAST_WORDS_OF_GEMS + 'raise "the licence server says no"\n'),
    "harmless refusal": Failure(
        "",
        "the licence server says no",
        code='require "socket"\nbegin\n  TCPSocket.new("127.0.0.1", 8126)\nrescue => e\n'
        '  warn "W, [2026] WARN -- ddtrace: failed to send traces: Connection refused - connect(2) for 127.0.0.1:8126 (Errno::ECONNREFUSED)"\nend\n'
        'raise "the licence server says no"\n',
    ),
    "harmless refusal, abort": Failure(
        "",
        "no licence",
        code='warn "WARN -- ddtrace: Connection refused - connect(2) for 127.0.0.1:8126 (Errno::ECONNREFUSED)"\nwarn "another line"\nabort "no licence"\n',
    ),
    "harmless refusal with a backtrace": Failure(
        "cannot load such file -- laevigata/none",
        "laevigata/none (LoadError)",
        code='require "socket"\nbegin\n  TCPSocket.new("127.0.0.1", 8126)\nrescue => e\n'
        '  warn e.full_message(highlight: false)\nend\nrequire "laevigata/none"\n',
    ),
}
