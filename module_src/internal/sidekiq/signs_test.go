// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is a log of a failure, as testdata/failures has it.
type sample struct {
	file string // without .txt
	log  []string
}

// samples are the recorded and the constructed logs: a line that says where
// it comes from, how the main process ended, an empty line, and the log.
func samples(t *testing.T) []sample {
	t.Helper()
	files, err := filepath.Glob("testdata/failures/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	var list []sample
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, log, found := strings.Cut(string(content), "\n\n")
		if !found || !strings.HasPrefix(head, "recorded: ") && !strings.HasPrefix(head, "constructed: ") {
			t.Errorf("%s does not say where it comes from", file)
		}
		list = append(list, sample{strings.TrimSuffix(filepath.Base(file), ".txt"), strings.Split(strings.TrimSuffix(log, "\n"), "\n")})
	}
	return list
}

// failures say, for each kind of sample, whatever it was recorded on, which
// sign tells the cause ("" for none) and what the last lines have to hold.
func failures() map[string][2]string {
	return map[string][2]string{
		"missing-gem":                  {"missing gem", `nokogirl`},
		"missing-locked-gem":           {"missing gem", `rack`},
		"wrong-Ruby":                   {"wrong Ruby", `Your Ruby version is`},
		"git-gem-trixie":               {"git gem", `hyrax-tools`},
		"bundler-version-3.1":          {"bundler version", `2.5.6`},
		"redis-plain-for-TLS-bullseye": {"Redis timeout", `127.0.0.1:6379`},
		"redis-plain-for-TLS-trixie":   {"Redis TLS", `rediss://127.0.0.1:6379`},
		"database-refused-trixie":      {"database host", `127.0.0.1`},
		"git-gem":                      {"git gem", `is not yet checked out`},
		"bundler-version":              {"bundler version", `9.9.9`},
		"frozen-lock":                  {"frozen lock", `emfile`},
		"Gemfile-syntax":               {"Gemfile syntax", `parsing`},
		"no-Gemfile":                   {"no Gemfile", `Could not locate Gemfile`},
		"activated":                    {"missing file", `cannot load such file -- pg (LoadError)`},
		"missing-file":                 {"missing file", `laevigata/none (LoadError)`},
		"missing-relative-file":        {"missing file", `lib/none (LoadError)`},
		"syntax":                       {"syntax", `app.rb:`},
		"required-syntax":              {"syntax", `broken.rb:`},
		"not-implemented":              {"", `fork() is not for this machine (NotImplementedError)`},
		"uninitialized-constant":       {"constant", `uninitialized constant Lavigata`},
		"no-method":                    {"own code", `undefined method`},
		"frozen":                       {"own code", `frozen`},
		"stack":                        {"own code", `stack level too deep`},
		"plain-error":                  {"", `the licence server says no`},
		"error-of-several-lines":       {"", `second line of it`},
		"own-class":                    {"", `no licence for 3 hosts`},
		"abort":                        {"", `no licence`},
		"exit":                         {"", `exited`},
		"chain":                        {"server", `cannot set up the index`},
		"chain-of-standard-errors":     {"", `cannot set up the index`},
		"environment-variable":         {"environment variable", `key not found: "FEDORA_URL"`},
		"key-of-a-hash":                {"own code", `key not found: :fedora`},
		"locale":                       {"locale", `US-ASCII`},
		"env-ruby":                     {"env ruby", `ruby`},
		"bundle-in-a-login-shell":      {"no bundle", `bundle`},
		"permission":                   {"permission", `/etc/laevigata.conf`},
		"unreadable":                   {"permission", `/etc/shadow`},
		"no-such-file":                 {"file missing", `No such file or directory`},
		"read-only":                    {"read-only", `Read-only file system`},
		"port-in-use":                  {"port in use", `Address already in use`},
		"disk-full":                    {"disk full", `No space left on device`},
		"open-files":                   {"open files", `Too many open files`},
		"threads":                      {"threads", `Resource temporarily unavailable`},
		"memory":                       {"memory", `failed to allocate memory`},
		"crash":                        {"crash", `[BUG] Segmentation fault`},
		"killed":                       {"", `status=9/KILL`},
		"redis-refused":                {"Redis", `6398`},
		"redis-socket":                 {"Redis", `/run/none.sock`},
		"redis-name":                   {"Redis", `redis.example.invalid`},
		"redis-url":                    {"Redis address", `scheme`},
		"redis-without-password":       {"Redis password", `NOAUTH`},
		"redis-wrong-password":         {"Redis password", `WRONGPASS`},
		"redis-needs-no-password":      {"Redis without password", `AUTH`},
		"redis-plain-for-TLS":          {"Redis TLS", `SSL`},
		// redis-rb waits for a plain Redis until its time is up.
		"redis-plain-for-TLS-bookworm":      {"Redis timeout", `127.0.0.1:6379`},
		"redis-certificate":                 {"certificate", `certificate verify failed`},
		"redis-TLS-for-plain":               {"Redis TLS", ``},
		"redis-replica":                     {"Redis replica", `READONLY`},
		"redis-memory":                      {"Redis memory", `OOM command not allowed`},
		"redis-rights":                      {"Redis rights", `NOPERM`},
		"redis-no-rights":                   {"Redis rights", `NOPERM`},
		"redis-snapshots":                   {"Redis snapshots", `MISCONF`},
		"redis-clients":                     {"Redis clients", `max number of clients`},
		"redis-database":                    {"Redis database", `DB index is out of range`},
		"redis-protected":                   {"Redis protected", `protected mode`},
		"database-refused":                  {"database", `5999`},
		"database-socket":                   {"database", `PGSQL`},
		"database-file-bookworm":            {"permission", `/opt/none`},
		"database-file-bullseye":            {"permission", `/opt/none`},
		"database-file":                     {"database missing", ``},
		"database-table":                    {"database migrations", `no such table`},
		"database-not-configured":           {"database section", `database is not configured`},
		"database-adapter":                  {"adapter gem", `mysql2`},
		"pending-migration":                 {"database migrations", `igrations are pending`},
		"secret_key_base":                   {"secret_key_base", `secret_key_base`},
		"encryption-key":                    {"encryption key", `Missing encryption key`},
		"wrong-master-key-trixie":           {"master key", `an exception without a message, at /usr/share/rubygems-integration/all/gems/activesupport-7.2.2.2/lib/active_support/messages/codec.rb:57`},
		"wrong-master-key":                  {"master key", ``},
		"Zeitwerk":                          {"Zeitwerk", `to define constant`},
		"Zeitwerk-file":                     {"constant", `uninitialized constant`},
		"YAML":                              {"YAML", `database.yml`},
		"no-Rails":                          {"no application", `Rails application`},
		"sidekiq.yml":                       {"sidekiq.yml", `did not find expected`},
		"command-line":                      {"command line", `invalid option: --bogus`},
		"reporters":                         {"missing file", `laevigata/none (LoadError)`},
		"reporters-after-an-error":          {"", `the licence server says no`},
		"harmless-refusal":                  {"", `the licence server says no`},
		"harmless-refusal-abort":            {"", `no licence`},
		"harmless-refusal-with-a-backtrace": {"missing file", `laevigata/none (LoadError)`},
		"several-lines-with-a-cause":        {"", `cannot set up the index`},
		"bundler-1-missing-file":            {"missing file", `laevigata/none`},
		"interpreter":                       {"stale interpreter", `stale`},
		"no-program":                        {"no program", `sidekick`},
		"log-file":                          {"log_file", `/var/log/laevigata.log`},
		"log-file-in-a-login-shell":         {"log_file in bash", `/var/log/laevigata.log`},
		"rbenv":                             {"rbenv version", `is not installed`},
		"removed-flag":                      {"removed flag", `invalid option: -L`},
		"native-library":                    {"native library", `invalid ELF header`},
		"address":                           {"address", `requested address`},
		"server-name":                       {"server name", `getaddrinfo`},
		"redis-cluster":                     {"Redis cluster", `CLUSTERDOWN`},
		"redis-command":                     {"Redis command", `unknown command`},
		"other-version-manager":             {"other version manager", ``},
		"paid-gems":                         {"paid gems", `gems.contribsys.com`},
		"native-library-missing":            {"native library", `libpq.so.5`},
		"activated-2.3":                     {"activated", `json 2.7.1`},
		"Ruby-of-a-gem":                     {"wrong Ruby", `requires Ruby >= 3.2.0`},
		"old-Redis":                         {"old Redis", `5.0.14`},
		"redis-loading":                     {"Redis loading", `LOADING`},
		"redis-sentinel":                    {"Redis sentinel", `No sentinels`},
		"redis-7.0-refused":                 {"Redis", `127.0.0.1:6379`},
		"database-password":                 {"database password", `password authentication failed`},
		"database-missing":                  {"database missing", `could not find your database`},
		"database-connections":              {"database connections", `too many clients`},
		"database-starting":                 {"database starting", `starting up`},
		"database-table-15":                 {"database migrations", `relation "works"`},
		"database-mysql":                    {"database", `mysqld.sock`},
		"database-mysql-password":           {"database password", `Access denied`},
		"time-zone":                         {"time zone", `timezone data`},
		"JavaScript":                        {"JavaScript", `JavaScript runtime`},
		"inotify":                           {"inotify", `inotify`},
		"quota":                             {"quota", `quota`},
		"environment-variables-dotenv":      {"environment variable", `FEDORA_URL`},
		"no-licence":                        {"", `the licence server says no`},
		"sidekiq.yml-missing":               {"sidekiq.yml missing", `config/jobs.yml`},
		"JSON-logger":                       {"environment variable", `KeyError: key not found: "FEDORA_URL"`},
		"Ruby-logger":                       {"environment variable", `KeyError: key not found: "FEDORA_URL"`},
		"Gemfile-syntax-friendly":           {"Gemfile syntax", `error parsing`},
		"low-port-3":                        {"low port", `port 80`},
		"redis.yml-3":                       {"file missing", `config/redis.yml`},
		"redis.yml-unreadable-3":            {"permission", `config/redis.yml`},
		"REDIS_URL-3":                       {"environment variable", `REDIS_URL`},
		"file-of-the-database-3":            {"file missing", `ca.pem`},
		"redis-clients-7":                   {"Redis clients", `max number of clients`},
		"RUBYOPT-3":                         {"RUBYOPT", `RUBYOPT`},
		"values-7":                          {"values", `concurrency: 0`},
		"old-Rails-6":                       {"old Rails", `version of Rails`},
		"namespace-7":                       {"namespace", `namespace`},
		"pool-7":                            {"pool", `too small`},
		"locked-gem-2.3":                    {"missing gem", `nokogiri`},
		"database-rights-15":                {"database rights", `table works`},
		"database-pool-7.2":                 {"database pool", `5.000 seconds`},
		"MongoDB-2":                         {"MongoDB", `10.0.0.7`},
		"server-timeout-3":                  {"server", `execution expired`},
		"Devise-4":                          {"Devise", `Devise`},
		"record-encryption-7":               {"record encryption", `primary_key`},
		"AWS-3":                             {"AWS", `AWS_REGION`},
		"temporary-directory-3":             {"temporary directory", `temporary directory`},
		"home-3":                            {"home", `HOME`},
		"bundler-permission-2.3":            {"bundler permission", `Gemfile.lock`},
		"linked-file-7":                     {"file missing", `config/database.yml`},
		"program-3":                         {"file missing", `identify`},
		"at_exit-after-exit":                {"", `key not found: "X" (KeyError)`},
		"at_exit-before-the-error":          {"", `the licence says no (RuntimeError)`},
		"abort-with-unbuilt-extensions":     {"", `no licence`},
		"rbenv-command-1.2":                 {"rbenv command", `exists in these Ruby versions`},
		"ruby-permission":                   {"ruby permission", `Permission denied`},
		"database-password-none-15":         {"database password", `no password supplied`},
		"lock-conflict":                     {"lock conflict", `contains merge conflicts`},
		"lock-platform":                     {"lock platform", `x86_64-darwin-21`},
		"not-in-the-Gemfile":                {"not in the Gemfile", `not currently included in the bundle`},
		"redis-socket-rights":               {"Redis socket", `/run/redis/redis.sock`},
		"encoding":                          {"encoding", `invalid byte sequence in UTF-8`},
		"YAML-alias-5.1":                    {"YAML", `Alias parsing was not enabled`},
		"sidekiq.yml-alias":                 {"sidekiq.yml", `Unknown alias: nope`},
		"server-solr":                       {"server", `localhost:8983`},
	}
}

func TestSamplesAreToldByTheirSign(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples(t) {
		want := expected(t, s)
		name, _ := (&Service{}).sign(s.log)
		seen[name] = true
		if name != want[0] {
			t.Errorf("%s: sign %q, want %q", s.file, name, want[0])
		}
	}
	for _, sign := range signs {
		if !seen[sign.name] {
			t.Errorf("no sample of %q", sign.name)
		}
	}
}

// expected is the entry of a sample in failures.
func expected(t *testing.T, s sample) [2]string {
	t.Helper()
	if own, ok := failures()[s.file]; ok {
		return own
	}
	kind, _, _ := cutLast(s.file, "-")
	want, ok := failures()[kind]
	if !ok {
		t.Errorf("%s: no expectation", s.file)
	}
	return want
}

func TestTheErrorItselfIsAmongTheLastWords(t *testing.T) {
	g := newGrammar()
	long := func(word string) bool { return len(word) > maxWord+len("…") }
	for _, s := range samples(t) {
		words := LastWords(s.log)
		if want := expected(t, s)[1]; !strings.Contains(strings.Join(words, "\n"), want) {
			t.Errorf("%s: %q is not in\n  %s", s.file, want, strings.Join(words, "\n  "))
		}
		if len(words) > maxWords+maxOfError || slices.ContainsFunc(words, g.isFrame) || slices.ContainsFunc(words, long) {
			t.Errorf("%s: %d lines, or a frame, or a long line:\n  %s", s.file, len(words), strings.Join(words, "\n  "))
		}
	}
}
