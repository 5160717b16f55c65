// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// dropInDirs are the directories of drop-ins of the service's own name, if it
// stands for several processes.
func (s *Service) dropInDirs() []string {
	if !s.several() {
		return nil
	}
	return joined(systemd.LoadPath(), s.Unit()+".d")
}

// ofOneProcess refuses drop-ins that were written for a single process, which
// runs as the user, and that the umbrella would follow as root: a command, or an
// environment file, by whose LD_PRELOAD whoever may write it becomes root. Where
// the umbrella is there already, somebody has written them for it, and is warned.
func (w *wanting) ofOneProcess() {
	for _, file := range w.facts.DropIns {
		var asRoot []string
		for l := range systemd.Lines(file.Content) {
			if l.Section == "Service" && l.Value != "" && (strings.HasPrefix(l.Name, "Exec") || l.Name == "EnvironmentFile") {
				asRoot = appendNew(asRoot, l.Name)
			}
		}
		if asRoot == nil {
			continue
		}
		dir := path.Join(systemd.EtcUnits, w.Template()+".d")
		words := fmt.Sprintf("%s has %s of its own, which with several processes would be root's and not theirs; move it to where it is for each of them: "+
			"mkdir -p %s && mv -n %s %[3]s/", shown(file.Path), strings.Join(asRoot, " and "), dir, shell.Word(file.Path))
		if w.severalAlready() {
			w.warn("%s", words)
		} else {
			w.wrong = append(w.wrong, fmt.Sprintf("cannot manage %s: %s", w.Unit(), words))
		}
	}
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
