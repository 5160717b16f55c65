// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// ownConfigs are the files that Sidekiq takes its configuration from where its
// command line names none, best first: sidekiq/cli.rb, setup_options.
func ownConfigs() []string { return []string{"config/sidekiq.yml", "config/sidekiq.yml.erb"} }

// configFiles are where Sidekiq finds its configuration.
func (s *Service) configFiles() []string {
	own := []string{s.inDir(ownConfigs()[0]), s.inDir(ownConfigs()[1])}
	if s.ExecStart == nil && s.ConfigGiven {
		return []string{s.inDir(s.ConfigFile)}
	}
	if name, ok := flagValue(s.ExecStart, "-C", "--config"); ok {
		return []string{s.inDir(name)}
	}
	return own
}

// config is the configuration that Sidekiq takes. Without one it is empty.
func (w *wanting) config() Text {
	if len(w.facts.Configs) == 0 {
		return Text{}
	}
	return w.facts.Configs[0]
}

// configure has the command line name the configuration that Sidekiq would
// take by itself, or none, and says which that is. Before the first deploy it
// is the one that most applications have.
func (w *wanting) configure() {
	_, looked := w.facts.Users[w.User] // nothing is read as a user who is not there
	if !w.facts.Deployed || !looked || w.ExecStart != nil || w.isolated() {
		return
	}
	found := w.config().Path
	switch {
	case w.ConfigGiven && found == "" && (w.State == Stopped || w.State == Present):
		w.warn("there is no %s, so Sidekiq would not start", w.inDir(w.ConfigFile))
	case w.ConfigGiven && found == "":
		w.miss("config_file", "there is no %s, so Sidekiq would not start", w.inDir(w.ConfigFile))
	case w.ConfigGiven:
	case found == "":
		w.ConfigFile = ""
		w.warn("there is neither %s nor %s in %s, so Sidekiq runs with its defaults", ownConfigs()[0], ownConfigs()[1], w.Dir)
	case found == w.inDir(ownConfigs()[1]):
		w.ConfigFile = ownConfigs()[1]
		w.warn("there is no %s in %s, so Sidekiq takes %s", ownConfigs()[0], w.Dir, ownConfigs()[1])
	case len(w.facts.Configs) > 1:
		w.warn("Sidekiq takes %s in %s, and not %s", ownConfigs()[0], w.Dir, ownConfigs()[1])
	}
}

// stopSec is the value of TimeoutStopSec. A Sidekiq that is killed before its
// own timeout is over cannot give its unfinished jobs back to Redis.
func (w *wanting) stopSec() int {
	least := w.timeout() + 5
	if w.StopSec == 0 {
		return max(90, least)
	}
	if w.StopSec < least {
		w.warn("timeout_stop_sec is %d, and Sidekiq's own timeout is %d: give it %d or more, or jobs may be lost when it stops",
			w.StopSec, least-5, least)
	}
	return w.StopSec
}

// timeout is how many seconds Sidekiq gives running jobs when it stops. Where
// nothing says otherwise, that is Sidekiq's default, 25.
func (w *wanting) timeout() int {
	if value, ok := flagValue(w.ExecStart, "-t", "--timeout"); ok {
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n < maxSeconds {
			return n
		}
	}
	config := w.config()
	n, err := configTimeout(config, w.env())
	if err != nil && w.StopSec == 0 {
		w.warn("cannot tell Sidekiq's timeout from %s: %v; where it is more than 85 seconds, set timeout_stop_sec to 5 more",
			config.Path, err)
	}
	return cmp.Or(n, 25)
}

// env is the environment that Sidekiq runs in. It is empty where a variable says
// it that is none of the options'.
func (s *Service) env() string {
	if name, ok := flagValue(s.ExecStart, "-e", "--environment"); ok {
		if variable, ok := strings.CutPrefix(name, "$"); ok {
			return s.variable(strings.Trim(variable, "{}"))
		}
		return name
	}
	if s.ExecStart != nil {
		for _, name := range environmentVariables {
			if value := s.variable(name); value != "" {
				return value
			}
		}
	}
	return s.AppEnv
}

// variable is the value of a variable in env, or "".
func (s *Service) variable(name string) string {
	for _, v := range s.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// maxConfig is the size in bytes up to which a sidekiq.yml is parsed. Real ones
// have some hundred bytes. The file belongs to the deploy user, and a megabyte
// of "a: b" keeps the parser busy for more than a second.
const maxConfig = 1 << 16

// configTimeout reads the timeout in a sidekiq.yml; it is 0 where there is
// none. The section of the environment takes precedence over the top level.
//
// Sidekiq itself runs the file through ERB, which is code of the deploy user's.
// Nothing is run here, so a file with ERB is an error.
func configTimeout(config Text, env string) (int, error) {
	if config.Problem != "" {
		return 0, errors.New(config.Problem)
	}
	if len(config.Content) > maxConfig {
		return 0, fmt.Errorf("it is larger than %d bytes", maxConfig)
	}
	if strings.Contains(config.Content, "<%") {
		return 0, errors.New("it holds ERB, which only Sidekiq itself can evaluate")
	}
	root, err := parseYAML(config.Content)
	if err != nil {
		return 0, err
	}
	if n := member(member(root, env, 0), "timeout", 0); n != nil {
		return seconds(n)
	}
	return seconds(member(root, "timeout", 0))
}

// parseYAML reads a document into nodes. Aliases are not expanded, so a
// document in memory is never larger than a multiple of its text.
func parseYAML(text string) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is not YAML")
		}
	}()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, errors.New("it is not YAML") // the parser's words may repeat the file's
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

// member is the value of a key of a mapping, or nil. Ruby people write such a
// key as name or as :name. Merged mappings (<<) count, too, after the mapping's
// own keys. depth ends chains of aliases.
func member(n *yaml.Node, name string, depth int) *yaml.Node {
	n = target(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > 8 {
		return nil
	}
	var own, merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case name, ":" + name:
			own = target(n.Content[i+1]) // the last one counts, as to Ruby
		case "<<":
			merged = n.Content[i+1]
		}
	}
	if own != nil {
		return own
	}
	return member(merged, name, depth+1)
}

// target follows an alias.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func seconds(n *yaml.Node) (int, error) {
	if n == nil {
		return 0, nil
	}
	value, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
	if n.Kind != yaml.ScalarNode || err != nil || value < 0 || value > maxSeconds {
		return 0, fmt.Errorf("the timeout in line %d is no number of seconds up to a week", n.Line)
	}
	return value, nil
}
