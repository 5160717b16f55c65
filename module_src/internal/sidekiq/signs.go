// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"regexp"
	"strings"
)

// sign is a kind of failure that is recognised by its words.
type sign struct {
	name string // of its samples in testdata/failures

	// pattern is a regular expression for the text of the exception that ended
	// the process: "[redis] Class: message", with the class and what is in the
	// brackets only where they are known; see [exception.text].
	pattern string

	// alone says that the words also tell the cause in a line that belongs to
	// no exception, as the words of Bundler, OptionParser and shells do.
	alone bool

	// means is the cause and what to do. $1 is what the pattern's first group
	// has found; what is in braces depends on the service: [Service.advice].
	means string
}

// signs are ordered by how much they tell: a refused connection may be Redis's
// or anything else's, while a missing password is Redis's.
var signs = []sign{
	// About how Sidekiq is started.
	{
		"removed flag", `invalid option: -[LdPi]\b`, true,
		"this Sidekiq has no -L, -d, -P and -i (6 ignores them, 7 refuses them): take them out of exec_start; the log goes to the journal, or to log_file",
	},
	{"command line", `(?:invalid option|missing argument|invalid argument|ambiguous option): (.*)`, true, "Sidekiq does not understand its command line ($1): see {command}"},
	{"sidekiq.yml missing", `No such file (?:file )?([^\s-]\S*\.ya?ml\S*)`, true, "Sidekiq does not find its configuration $1: see config_file"},
	{"no application", `Please point [Ss]idekiq to a Rails`, true, "there is no Rails application in working_directory, and the configuration requires no other file"},
	{"stale interpreter", `(\S+): (?:bad interpreter|cannot execute: required file not found)`, true, "the interpreter in the first line of $1 is not there: {ruby}"},
	{"env ruby", `env: ['\x{2018}]?ruby[^:]*: No such file`, true, "there is no ruby in the PATH that the service has: {ruby}, or set PATH in env"},
	{
		"rbenv version", "rbenv: version [`'\"]?([^'\"`]+)['\"]? is not installed", true,
		"rbenv has no Ruby $1 for the service's user: rbenv install $1 as {user}, or correct .ruby-version",
	},
	{
		"other version manager", `(?:Required (ruby-\S+) is not installed|No (?:preset )?version (?:is set|installed) for (?:command|shim)|unknown Ruby: (\S+)|(?:asdf|mise)\b.*not installed)`, true,
		"the Ruby that the application asks for is not installed for the service's user: install it as {user}, or correct .ruby-version or .tool-versions",
	},
	{"rbenv command", `rbenv: (\S+): command not found`, true, "the Ruby that rbenv takes here has no $1: choose another in .ruby-version, or gem install bundler and rbenv rehash as {user}"},
	{"ruby permission", `env: ['\x{2018}]?ruby[^:]*: Permission denied`, true, "the service's user {user} may not run the ruby that comes first in its PATH: see the directories above it"},
	{"RUBYOPT", `invalid (?:switch|option) in RUBYOPT`, true, "Ruby does not understand RUBYOPT: see env and env_files"},
	{"values", `((?:concurrency|timeout): \S+ is not a valid value)`, false, "Sidekiq does not take a value of its configuration ($1): see concurrency and config_file"},
	{"old Rails", `no longer supports this version of Rails|Sidekiq \d+ only supports Rails`, false, "this Sidekiq needs a newer Rails than the application has"},
	{"namespace", `Redis configuration uses the namespace`, true, "the application gives Redis a namespace, which Sidekiq 7 has no more, and Sidekiq 6 only with the gem redis-namespace: take it out, or see REDIS_URL in {env}"},
	{"pool", `[Pp]ool .*too small`, false, "the application's pool of Redis connections is smaller than concurrency: lower concurrency, or enlarge the pool"},
	{"no bundle", "(?:bundle: (?:command )?not found|exec: bundle: |No such file or directory - bundle$)", true, "bundle is not where the service looks for it: {bundle}"},
	{"log_file", `cannot create (\S+): (?:Permission denied|Directory nonexistent|Is a directory|No such file)`, true, "the service's user {user} cannot write $1: see log_file; its directory has to be there, and both have to belong to that user"},
	{"log_file in bash", `bash: (?:line \d+: )?(\S+\.log): (?:Permission denied|No such file or directory|Is a directory)`, true, "the service's user {user} cannot write $1: see log_file; its directory has to be there, and both have to belong to that user"},
	{"no program", `(?:bash: (?:line \d+: )?|sh: \d+: )(?:exec: )?(\S+): (?:command )?not found`, true, "a shell does not find $1 in the PATH that the service has: {ruby}"},

	// Bundler's words and those of RubyGems.
	{"wrong Ruby", `Your Ruby (?:\w+ )?(?:version|engine|patchlevel) is |[Rr]equires [Rr]uby (?:version )?[^a-z]|Ruby version .* is not supported`, true, "the application wants another Ruby than it got: {ruby}"},
	{"git gem", `is not yet checked out|Bundler::PathError: The path .\S+-[0-9a-f]{12}. does not exist`, true, "a gem that comes from git is not checked out for this user and this Ruby: run bundle install in the working directory, as a deploy does"},
	{
		"bundler version", `Could not find 'bundler' \(([^)]+)\)|You must use Bundler (?:\d+) or greater`, true,
		"the Bundler that Gemfile.lock was written with is not installed for this Ruby: install it with gem install bundler, or run bundle update --bundler and commit Gemfile.lock",
	},
	{
		"frozen lock", `(?i)(?:frozen mode|frozen is set|deployment mode|frozen lockfile|lockfile is frozen|bundle config (?:unset|set) (?:frozen|deployment))`, true,
		"Gemfile.lock does not fit the Gemfile: run bundle install where the application is developed, and commit Gemfile.lock",
	},
	{"lock conflict", `contains merge conflicts|Malformed version number string`, true, "Gemfile.lock is not one that Bundler can read: restore it (git checkout HEAD -- Gemfile.lock), or run bundle lock where the application is developed"},
	{"lock platform", `Your bundle only supports platforms`, true, "Gemfile.lock is not for this kind of machine: run bundle lock --add-platform where the application is developed, and commit Gemfile.lock"},
	{"Gemfile syntax", "error (?:while )?(?:parsing|evaluating|loading) [`'\"]?(Gemfile|gems\\.rb)", true, "Bundler cannot read the application's $1"},
	{"no Gemfile", `Could not locate Gemfile`, true, "there is no Gemfile in working_directory"},
	{"paid gems", `(?:Bad username or password|Authentication is required) for (\S+)`, true, "the gem server $1 wants a user and a password: bundle config set it for the service's user, and run bundle install"},
	{
		"native library", `(\S+): cannot open shared object file|: undefined symbol: |incompatible library version - |linked to incompatible |version .GLIBC\w*_\S+ not found|invalid ELF header`, true,
		"a library that Ruby or a gem was built with is missing on this host, or is another one: install it, or build the gems anew for this Ruby (bundle pristine)",
	},
	{"adapter gem", `Error loading the '(\w+)' Active Record adapter|Specified '(\w+)' for database adapter, but the gem is not loaded`, false, "the gem of the database adapter in config/database.yml is not in the Gemfile, or not installed"},
	{
		"not in the Gemfile", `(?:bundler: command not found: |for gem )sidekiq|can't find executable sidekiq|sidekiq is not (?:currently included in|part of) the bundle`, true,
		"Sidekiq is not in the application's Gemfile, or not installed: see the Gemfile, and run bundle install in the working directory, as a deploy does",
	},
	{
		"missing gem", "Bundler::GemNotFound|Could not find (?:gem )?'?[\\w.:-]+'?.* in |Could not find [\\w.-]+-\\d[\\w.]* in |bundler: command not found: |Run [`']bundle install[`']|can't find gem|that version can no longer be found in that source|Gem::(?:Missing\\w+|GemNotFound)|is not part of the bundle|Could not find proper version of ", true,
		"the application's gems are not installed for this user and this Ruby: run bundle install in the working directory, as a deploy does",
	},
	{"bundler permission", `There was an error while trying to \w+ (?:to|from)? ?[^\n]*grant [\w ]*permissions`, true, "the service's user {user} may not read or write what Bundler needs: see the last log lines"},
	{"activated", `You have already activated (\S+ \S+), but your Gemfile requires|Unable to activate (?:\S+), because|can't activate (?:\S+)`, false, "a gem is loaded in another version than Gemfile.lock names ($1): start Sidekiq with bundle exec"},

	// About Redis, databases and other servers.
	{
		"old Redis", `Sidekiq requires Redis|is not supported by this version of Sidekiq|Sidekiq supports Redis|You are (?:connecting to|using) Redis v?\d`, true,
		"the Redis server is too old for this Sidekiq",
	},
	{"Redis protected", `DENIED Redis is running in protected mode`, false, "Redis is in protected mode, which takes connections from its own host only: give it a password or an address to listen at (bind)"},
	{"Redis without password", `AUTH <password> called without any password|no password is set`, false, "the application gives Redis a password, and this Redis has none: see REDIS_URL in {env}"},
	{"Redis password", `NOAUTH|WRONGPASS|invalid username-password pair|ERR invalid password`, false, "Redis refuses the application's password, or wants one and gets none: see REDIS_URL in {env}"},
	{"Redis rights", `NOPERM`, false, "the ACL of Redis does not let the application's user do what Sidekiq needs: see ACL LIST and ACL LOG in redis-cli"},
	{"Redis replica", `READONLY You can't write`, false, "the Redis at this address is a replica, which can only be read: REDIS_URL in {env} has to name the primary"},
	{"Redis memory", `OOM command not allowed`, false, "Redis has used up its maxmemory: raise it, and see what fills it"},
	{"Redis snapshots", `MISCONF`, false, "Redis cannot save its data and so takes no more: see its log, its directory and its disk"},
	{"Redis loading", `LOADING Redis is loading`, false, "Redis is still loading its data: wait until redis-cli ping says PONG"},
	{"Redis clients", `max number of clients`, false, "Redis has no connection left: see maxclients, and who is connected (redis-cli client list)"},
	{"Redis database", `DB index is out of range|invalid DB index`, false, "this Redis does not have the database number in its address: see REDIS_URL in {env}, and databases in redis.conf"},
	{"Redis cluster", `CLUSTERDOWN|MOVED \d|CROSSSLOT|cluster support disabled`, false, "Sidekiq cannot use a Redis cluster: REDIS_URL in {env} has to name a single Redis, or a primary with Sentinel"},
	{"Redis command", `ERR unknown command`, false, "this Redis does not know a command that Sidekiq needs: it is too old, or no Redis, or the command is renamed"},
	{"Redis address", `\[redis\].*(?:bad URI|[Ii]nvalid (?:redis )?ur[il]|scheme)|[Ii]nvalid uri scheme`, false, "the address of Redis is not one that can be used: REDIS_URL in {env} has to read like redis://host:6379/0"},
	{"Redis sentinel", `No sentinels available|Couldn't (?:locate a|identify a) (?:replica|master|leader)`, false, "no Sentinel of Redis answers, or none knows the primary: see their addresses and the name of the primary"},
	{"certificate", `certificate verify failed`, false, "the certificate of a server is not trusted by this host, or is for another name: install its authority (update-ca-certificates), or set SSL_CERT_FILE in env"},
	{"Redis TLS", `^\[redis\] \(rediss:|\[redis\].*(?:SSL|wrong version number|end of file reached|EOFError|Connection reset|ECONNRESET|Connection lost|ProtocolError|Protocol error|Unknown (?:response|type))`, false, "Redis and the application do not agree on TLS, or Redis drops the connection: rediss:// is for a Redis that speaks TLS, redis:// for one that does not"},
	{"Redis socket", `Permission denied - connect\(2\) for (/\S+)`, false, "the service's user {user} may not use the socket $1: add it to the socket's group, or see unixsocketperm in redis.conf"},
	{
		"Redis timeout", `\[redis\].*(?:[Tt]imed? ?out|Timeout)`, false,
		"Redis does not answer in time: see whether it is overloaded, whether a firewall is in between, and, for an address with rediss://, whether it speaks TLS",
	},
	{
		"Redis", `\[redis\].*(?:refused|ECONNREFUSED|CannotConnectError|Error connecting|getaddrinfo|[Nn]ame or service|ResolutionError|No route to host|unreachable|No such file or directory - connect\(2\))`, false,
		"Sidekiq cannot reach Redis: see whether it runs, and redis_unit and the address in env",
	},
	{"database password", `\[database\].*(?:authentication failed|Access denied for user|no pg_hba.conf entry|no password supplied|role "[^"]*" does not exist)|issue connecting to your database with your username`, true, "the database refuses the application's user or password: see DATABASE_URL in {env}, or config/database.yml"},
	{"database missing", `could not find your database|\[database\].*(?:database "[^"]*" does not exist|Unknown database|NoDatabaseError|unable to open database file|CantOpenException|Database not found)`, true, "the application's database is not there: see DATABASE_URL in {env} or config/database.yml, and create it"},
	{"database migrations", `[Mm]igrations are pending|PendingMigration|\[database\].*(?:relation "[^"]*" does not exist|column \S+ does not exist|no such (?:table|column)|doesn't exist|Could not find table)`, true, "the database lacks a table or column: run the pending migrations (bin/rails db:migrate) before Sidekiq starts"},
	{"database section", `database is not configured|AdapterNotSpecified`, true, "config/database.yml has no section for this environment: see app_env"},
	{"database rights", `permission denied for (?:table|schema|database|relation|sequence|view|function)|command denied to user`, false, "the database does not let the application's user do what it wants: GRANT it"},
	{"database pool", `could not obtain a connection from the pool|could not obtain a database connection`, false, "the application's pool of database connections is smaller than concurrency: raise pool in config/database.yml"},
	{"database connections", `too many clients already|remaining connection slots|[Tt]oo many connections`, false, "the database has no connection left: see its limit, and concurrency"},
	{"database starting", `the database system is (?:starting up|shutting down|in recovery mode)`, false, "the database is not ready yet: name its unit in after and wants"},
	{"database", `\[database\].*(?:refused|could not connect|Can't connect|connection to server|ConnectionNotEstablished|could not translate host name|[Tt]imed? ?out|Unknown .*server host)`, false, "the application cannot reach its database: see whether it runs, and DATABASE_URL in {env} or config/database.yml; if it is on this host, name its unit in after and wants"},
	{"database host", `issue connecting with your hostname`, true, "the application cannot reach its database: see whether it runs, and DATABASE_URL in {env} or config/database.yml"},
	{"MongoDB", `NoServerAvailable|No \w+ server is available in cluster`, false, "the application cannot reach its MongoDB: see whether it runs, and its address"},
	{"server name", `getaddrinfo|[Nn]ame or service not known|Temporary failure in name resolution`, false, "this host does not know the name of a server that the application needs: see its address and /etc/resolv.conf"},
	{
		"server", `(?:Connection refused|Connection timed out|No route to host|Network is unreachable|Failed to open TCP connection|Couldn't connect to server|execution expired|Net::OpenTimeout|Net::ReadTimeout)(?: - \S+\(\d\))?(?: (?:for|to) ("?[^\s"]+"?(?: port \d+)?))?`, false,
		"the application cannot reach a server that it needs ($1): see whether that runs, and its address",
	},

	// About the application and its configuration.
	{"secret_key_base", `[Mm]issing .?secret_key_base|secret_key_base. for \S+ environment must be`, true, "the environment variable SECRET_KEY_BASE is not set: put it into {env}"},
	{"Devise", `Devise.secret_key was not set`, true, "Devise has no secret key, which it takes from SECRET_KEY_BASE or the credentials: put SECRET_KEY_BASE into {env}"},
	{"record encryption", `Missing Active Record encryption credential`, false, "the application's credentials have no keys for Active Record's encryption, or cannot be read: see RAILS_MASTER_KEY in {env}"},
	{"AWS", `missing region; use :region|unable to sign request without credentials|MissingCredentialsError|MissingRegionError`, false, "the application has no AWS region or credentials: put AWS_REGION and the like into {env}"},
	{"encryption key", `Missing encryption key`, true, "the environment variable RAILS_MASTER_KEY is not set, and there is no config/master.key: put it into {env}, or link the file in each release"},
	{"master key", `^\[encrypted\]|InvalidMessage|CipherError|InvalidSignature|InvalidKeyLength|key must be \d+ bytes|bad decrypt`, false, "the application's encrypted credentials cannot be read: RAILS_MASTER_KEY or config/master.key is not their key"},
	{
		"environment variable", `(?i:key not found|missing required (?:configuration|environment)[^"]*|environment variables? (?:is |are )?(?:missing|not set)[^"]*): ?\[?"?([A-Z][A-Z0-9_]+)`, false,
		"the environment variable $1 is not set: put it into {env}",
	},
	{"Zeitwerk", `expected file (\S+) to define constant ([\w:]+)`, false, "the file $1 has to define the constant $2 (Zeitwerk): one of the two names is wrong"},
	{"sidekiq.yml", `(?:^\[sidekiq\.yml\]|[Ee]rror parsing config file|\(?<?\S*sidekiq\.yml\S*>?\)?: .*(?:did not find|could not find|mapping values|line \d+ column \d+))`, true, "Sidekiq cannot read its configuration: its YAML, or the ERB in it, is wrong; see config_file"},
	{"YAML", `Psych::|YAML syntax error|did not find expected|could not find expected|[Uu]nknown (?:alias|anchor): |[Aa]lias parsing was not enabled|Tried to load unspecified class|mapping values are not allowed`, false, "a YAML file cannot be read: where the last log lines do not say which, see config_file first"},
	{"time zone", `DataSourceNotFound|No source of timezone data|tzinfo-data is not present`, true, "the host has no time zones: install the package tzdata"},
	{"JavaScript", `Could not find a JavaScript runtime|RuntimeUnavailable`, true, "a gem of the application needs a JavaScript runtime: install nodejs"},
	{"missing file", `cannot load such file -- (\S+)`, false, "the application does not load: cannot load such file -- $1; the file is missing, or its gem is not in the Gemfile"},
	{"syntax", `SyntaxError|syntax errors? found|(\S+\.rb:\d+): syntax error`, false, "a Ruby file of the application has a syntax error, at least for this Ruby: the last log lines say where"},

	// What the system refuses, and last what tells little.
	{"temporary directory", `could not find a temporary directory`, false, "the service's user {user} has no directory for temporary files: see the mode of /tmp (1777), and TMPDIR in env"},
	{"home", `couldn't find HOME|non-absolute home`, false, "the service has no HOME: set it in env"},
	{"read-only", `Read-only file system|EROFS`, false, "the application writes where {hardening} does not let it"},
	{"inotify", `inotify|user limit on the total number of inotify`, false, "the host's limit of watched files is used up (sysctl fs.inotify); in production nothing should watch them"},
	{"disk full", `No space left on device|ENOSPC`, false, "the disk is full, or has no inodes left: see df -h and df -i"},
	{"quota", `Disk quota exceeded|EDQUOT`, false, "the disk quota of the service's user is used up"},
	{"open files", `Too many open files|EMFILE|ENFILE`, false, "the application opens more files than it may: raise LimitNOFILE in directives"},
	{"threads", `can't create Thread|Cannot fork|Resource temporarily unavailable|EAGAIN`, false, "the service may have no more threads or processes: raise TasksMax or LimitNPROC in directives, or the limit of the service's user"},
	{"memory", `failed to allocate memory|NoMemoryError|Cannot allocate memory|ENOMEM`, false, "there is no memory left: see free -m, and LimitAS and MemoryMax in directives"},
	{"port in use", `Address already in use(?: - \S+\(2\))?(?: for ("?[^\s"]+"?(?: port \d+)?))?`, false, "another process has the address that the application wants to listen at ($1): ss -ltnp shows which; a second process of the same service wants it, too"},
	{"address", `Cannot assign requested address|EADDRNOTAVAIL`, false, "the application wants to listen at an address that this host does not have"},
	{"low port", `Permission denied - bind\(2\)(?: for ("?[^\s"]+"?(?: port \d+)?))?`, false, "the service's user {user} may not listen there ($1), as below port 1024: take another port, or give it AmbientCapabilities=CAP_NET_BIND_SERVICE in directives"},
	{"permission", `(?:Permission denied|Operation not permitted)(?: @ \w+)?(?: - (\S+))?`, false, "the service's user {user} may not read or write something that the application needs ($1)"},
	{"locale", `US-ASCII`, false, "the application runs without UTF-8: set LANG to C.UTF-8 in env"},
	{"encoding", `invalid byte sequence in|from ASCII-8BIT to|incompatible character encodings`, false, "the application reads text that is not in the encoding it expects: see the file or value where the last log lines say"},
	{"file missing", `No such file (?:or directory(?: @ \w+)? - |- \[?"?)([^\s"\]]+)`, false, "a file, or a program, that the application needs is missing: $1; files that are linked into each release have to be there, too"},
	{"constant", `uninitialized constant (\S+)`, false, "the application names the constant $1, which nothing has defined: its gem or file is not loaded, or the name is wrong"},
	{
		"own code", `\b(?:NameError|NoMethodError|ArgumentError|TypeError|FrozenError|SystemStackError)\b|undefined (?:method|local variable)|wrong number of arguments|can't modify frozen|stack level too deep|key not found: :|no implicit conversion|private method`, false,
		"its own code, or that of a gem, fails while it loads: the last log lines say where",
	},
	{"crash", `\[BUG\] `, true, "Ruby itself crashed, most often in the native part of a gem: build the gems anew for this Ruby (bundle pristine), or update the one that is named in the log"},
}

// Refusal says what keeps a Sidekiq that runs from its jobs, as its log tells: a
// Redis that takes nothing, or that is away. It is empty where the log tells of
// none. Sidekiq shows it nowhere else, and goes on running.
func Refusal(log []string) string {
	text := strings.Join(log, "\n")
	text = text[strings.LastIndex(text, "Redis is online")+1:] // what was before that is over
	text = strings.ReplaceAll(text, "heartbeat: ", "[redis] ") // of these, each is about Redis
	text = strings.ReplaceAll(text, "Error fetching job: ", "[redis] ")
	for _, sign := range signs {
		if !strings.HasPrefix(sign.name, "Redis") {
			continue
		}
		if means := sign.meaning(regexp.MustCompile("ERROR.*(?:"+sign.pattern+")"), text); means != "" {
			return strings.NewReplacer("{env}", "its environment", " {user}", "").Replace(means)
		}
	}
	return ""
}

// find is the first sign that one of the texts shows, and what it means. With
// only, just those signs count that tell the cause alone.
func find(texts []string, only bool) (name, means string) {
	for _, sign := range signs {
		if only && !sign.alone {
			continue
		}
		pattern := regexp.MustCompile("(?s)" + sign.pattern)
		for _, text := range texts {
			if means := sign.meaning(pattern, text); means != "" {
				return sign.name, means
			}
		}
	}
	return "", ""
}

// meaning is what a sign means, with what its pattern has found in a text. It is
// empty where that does not show it.
func (s *sign) meaning(pattern *regexp.Regexp, text string) string {
	m := pattern.FindStringSubmatchIndex(text)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(string(pattern.ExpandString(nil, s.means, text, m)), " ()", "")
}
