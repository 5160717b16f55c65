// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// allServices is the name of the directories of drop-ins of every service.
const allServices = "service.d"

// dropInDirs are the directories of drop-ins to read: of every service and, if
// the service stands for several processes, of its own name and of those that
// begin with the same words. Of two files of one name systemd takes the first.
func (s *Service) dropInDirs() []string {
	var names []string
	if s.several() {
		names = append(names, s.Unit()+".d")
		for i := len(s.Name) - 1; i > 0; i-- {
			if s.Name[i] == '-' {
				names = append(names, s.Name[:i+1]+".service.d")
			}
		}
	}
	var dirs []string
	for _, name := range append(names, allServices) {
		dirs = append(dirs, joined(systemd.LoadPath(), name)...)
	}
	return dirs
}

// foreseeDropIns judges drop-ins that the options do not tell of. Those that
// were written for a single process, which runs as the user, the umbrella would
// follow as root: a command, or an environment, by whose LD_PRELOAD whoever may
// write it becomes root. They are refused. Where the umbrella is there already,
// somebody has written them for it, and is warned, and so it is with those of
// every service, which others follow as root as it is. These may also say
// something else than the options, which no list of the service's own drop-ins
// shows.
func (w *wanting) foreseeDropIns() {
	for _, file := range w.facts.DropIns {
		dir, name := path.Split(file.Path)
		dir = path.Base(dir)
		if dir != w.Unit()+".d" && w.facts.Systemd < 239 {
			continue // systemd reads these since 239, and those of every service since 244
		}
		var asRoot, options []string
		for l := systemd.Lines(file.Content); l.Next(); {
			isEnv := strings.HasPrefix(l.Name, "Environment")
			switch {
			case l.Section != "Service" || l.Value == "":
			case w.several() && (isCommand(l.Name) || isEnv && (l.Name != "Environment" || strings.Contains(l.Value, "LD_"))):
				asRoot = appendNew(asRoot, l.Name)
			case dir == allServices && !isEnv && (optionFor(l.Section, l.Name) != "" || l.Name == "User"):
				options = appendNew(options, l.Name)
			}
		}
		leaveOut := func(dir string) string {
			return fmt.Sprintf("mkdir -p %s && ln -s /dev/null %[1]s/%s", dir, shell.Word(name))
		}
		if options != nil {
			w.warn("%s says %s for every service, this one too, whatever the options say; to have this one leave it out: %s",
				shown(file.Path), strings.Join(options, " and "), leaveOut(w.dropInsOfProcess()))
		}
		if asRoot == nil {
			continue
		}
		remedy := fmt.Sprintf("its processes follow it anyway; have %s leave it out: %s", w.Unit(), leaveOut(path.Join(systemd.EtcUnits, w.Unit()+".d")))
		if dir == w.Unit()+".d" {
			remedy = fmt.Sprintf("move it to where it is for each of them: mkdir -p %s && mv -n %s %[1]s/", w.dropInsOfProcess(), shell.Word(file.Path))
		}
		words := fmt.Sprintf("%s has %s of its own, which with several processes would be root's and not theirs; %s", shown(file.Path), strings.Join(asRoot, " and "), remedy)
		if w.severalAlready() || dir == allServices {
			w.warn("%s", words)
		} else {
			w.wrong = append(w.wrong, fmt.Sprintf("cannot manage %s: %s", w.Unit(), words))
		}
	}
}

// dropInsOfProcess is where drop-ins of what runs Sidekiq belong.
func (s *Service) dropInsOfProcess() string {
	if s.several() {
		return path.Join(systemd.EtcUnits, s.Template()+".d")
	}
	return path.Join(systemd.EtcUnits, s.Unit()+".d")
}

// severalAlready reports whether the service has several processes on the host.
func (w *wanting) severalAlready() bool {
	for _, i := range w.facts.Instances {
		if i.Ours {
			return true
		}
	}
	return false
}
