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

// foreseeDropIns judges drop-ins that the options do not tell of.
func (w *wanting) foreseeDropIns() {
	for _, file := range w.facts.DropIns {
		// systemd reads those of prefixes from 239 on, and those of every service
		// from 244 on; Enterprise Linux 8 reads them with 239.
		if dir := path.Base(path.Dir(file.Path)); dir == w.Unit()+".d" || w.facts.Systemd >= 239 {
			w.foreseeForAll(dir, file)
			w.foreseeAsRoot(dir, file)
		}
	}
}

// foreseeForAll warns of a drop-in of every service that says something else
// than the options, which no list of the service's own drop-ins shows.
func (w *wanting) foreseeForAll(dir string, file FileText) {
	var options []string
	for l := systemd.Lines(file.Content); l.Next(); {
		overrules := optionFor(l.Section, l.Name) != "" || l.Name == "User"
		if dir == allServices && l.Section == "Service" && l.Value != "" && overrules && !strings.HasPrefix(l.Name, "Environment") {
			options = appendNew(options, l.Name)
		}
	}
	if options != nil {
		w.warn("%s says %s for every service, this one too, whatever the options say; to have this one leave it out: %s",
			shown(file.Path), strings.Join(options, " and "), leaveOut(w.dropInsOfProcess(), file))
	}
}

// foreseeAsRoot judges a drop-in that was written for a single process, which
// runs as the user, and that the umbrella would follow as root: a command, or an
// environment, by whose LD_PRELOAD whoever may write it becomes root. It is
// refused. Where the umbrella is there already, somebody has written the drop-in
// for it, and is warned, and so it is with those of every service, which others
// follow as root as it is.
func (w *wanting) foreseeAsRoot(dir string, file FileText) {
	var asRoot []string
	for l := systemd.Lines(file.Content); l.Next(); {
		inEnv := strings.HasPrefix(l.Name, "Environment") && (l.Name != "Environment" || strings.Contains(l.Value, "LD_"))
		if l.Section == "Service" && l.Value != "" && (isCommand(l.Name) || inEnv) {
			asRoot = appendNew(asRoot, l.Name)
		}
	}
	if asRoot == nil || !w.several() {
		return
	}
	remedy := fmt.Sprintf("its processes follow it anyway; have %s leave it out: %s", w.Unit(), leaveOut(path.Join(systemd.EtcUnits, w.Unit()+".d"), file))
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

// leaveOut is the command by which a unit with that directory of drop-ins does
// without one of them.
func leaveOut(dir string, file FileText) string {
	return fmt.Sprintf("mkdir -p %s && ln -s /dev/null %[1]s/%s", dir, shell.Word(path.Base(file.Path)))
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
