// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// HealthPath is the command that tells a monitoring system how a service is. It
// is a copy of the program, which knows by this name what it is to do. A link
// would not do: what the action plugin keeps on the host is root's alone, and
// goes when somebody clears /var/cache.
const HealthPath = "/usr/local/sbin/sidekiq-health"

// ThisProgram stands for the content of the program that runs, which is too
// large to be told.
const ThisProgram = "the program that runs\n"

// HealthMark is in every version of the program, and tells it from a command of
// the same name that is somebody else's.
const HealthMark = markerStart

// HealthPlace is what is known about [HealthPath].
type HealthPlace struct {
	// Refused says why the command is not, or cannot be, this collection's;
	// empty: it can be.
	Refused string

	// Others are the other services of this collection on the host. It is only
	// known where the service goes.
	Others []string
}

// healthFile is the row of the command. It goes with the last service. A service
// is not refused for want of it.
func (w *wanting) healthFile() []converge.File {
	f := converge.File{Path: HealthPath, Kind: converge.ProgramFile}
	switch {
	case w.facts.Health.Refused != "" && w.State == Absent:
		return nil
	case w.facts.Health.Refused != "":
		w.warn("the command %s is not written: %s", HealthPath, w.facts.Health.Refused)
		return nil
	case w.State == Absent && len(w.facts.Health.Others) > 0:
		return nil
	case w.State != Absent:
		f.Exists, f.Mode, f.Content = true, 0o755, ThisProgram
	}
	return []converge.File{f}
}

// Health is how a service is, in the numbers of monitoring plugins.
type Health int

// How a service is. The numbers are exit statuses.
const (
	HealthUp       Health = 0 // every process runs, and is not quiet
	HealthDegraded Health = 1 // every process runs or is on its way, and somebody should have a look
	HealthDown     Health = 2 // a process does not run
	HealthUnknown  Health = 3 // nothing can be told
)

// The words in which monitoring plugins say the same.
var healthWords = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// Line is what a monitoring plugin prints: the word and, behind it, more. Most
// monitoring systems end the text at a | or at the end of the line.
func (h Health) Line(text string) string {
	return healthWords[h] + ": " + ansible.Printable(strings.NewReplacer("\n", " ", "|", "/").Replace(text))
}

// HealthService is the service of that name; it is enough to look for it.
func HealthService(name string) (Service, error) {
	return ParseInfo(ansible.Request{Args: map[string]any{"name": name}})
}

// settledIn is how long ago systemd has to have restarted a process by itself
// for that to be no news any more.
const settledIn = 5 * time.Minute

// Health judges a service by what was found, and says in one line why.
func (s *Report) Health(name string) (Health, string) {
	if len(s.Processes) == 0 {
		return HealthUnknown, fmt.Sprintf("there is no service %s on the host", name)
	}
	worst := HealthUp
	var wrong, well []string
	for i := range s.Processes {
		health, text := s.healthOf(&s.Processes[i])
		if worst = max(worst, health); health == HealthUp {
			well = append(well, text)
		} else {
			wrong = append(wrong, text)
		}
	}
	if why := Refusal(s.Log); why != "" {
		worst, wrong = HealthDown, append([]string{"Sidekiq's log says that it can do no jobs: " + why}, wrong...)
	}
	if wrong == nil {
		return worst, strings.Join(well, "; ")
	}
	if n := len(s.Processes); n > 1 && len(well) > 0 {
		wrong = append(wrong, fmt.Sprintf("nothing is wrong with %d of %d processes", len(well), n))
	}
	return worst, strings.Join(wrong, "; ")
}

// healthOf judges one process.
func (s *Report) healthOf(p *UnitReport) (Health, string) {
	is := func(h Health, format string, args ...any) (Health, string) {
		return h, p.Name + " " + fmt.Sprintf(format, args...)
	}
	process := &p.Process
	switch {
	case p.LoadState == "masked":
		return is(HealthDown, "is masked")
	case process.MainPID != 0 && process.Title == "":
		return is(HealthUnknown, "has a process, %d, which this user may not look at", process.MainPID)
	case p.Foreign && process.MainPID != 0 && !process.Ready && !process.Quiet:
		return is(HealthUnknown, "runs, process %d, and does not say in its title that it is Sidekiq", process.MainPID)
	case p.Activity == converge.Quiet || p.Activity == converge.Quieting:
		return is(HealthDegraded, "is quiet and takes no more jobs, process %d", process.MainPID)
	case p.runs():
		return s.healthOfRunning(p)
	case p.Activity == converge.AutoRestart:
		return is(HealthDown, "is dead and waits for its next automatic restart%s", soFar(process))
	case p.Activity == converge.Starting && process.Restarts > 0:
		return is(HealthDown, "is being started again, and is not up yet (%d automatic restarts so far)", process.Restarts)
	case p.Activity == converge.Starting:
		return is(HealthDegraded, "is being started and is not up yet%s", since(p))
	case p.Activity == converge.Stopping:
		return is(HealthDegraded, "is being stopped%s", since(p))
	case process.ActiveState == "failed":
		return is(HealthDown, "has failed: its main process %s%s", process.Ending(), since(p))
	case s.Dir != "" && s.Release == "":
		return is(HealthDown, "is not running, and %s is not there", s.Dir)
	}
	return is(HealthDown, "is not running%s", since(p))
}

// soFar says how often a process was started again, where that is counted.
func soFar(p *converge.Process) string {
	if p.Uncounted {
		return ""
	}
	return fmt.Sprintf(" (%d so far)", p.Restarts)
}

// healthOfRunning judges a process that is up.
func (s *Report) healthOfRunning(p *UnitReport) (Health, string) {
	reasons := s.RestartReasons(p)
	if n := p.Process.Restarts; n > 0 && p.Process.Age < settledIn {
		reasons = append(reasons, fmt.Sprintf("automatic restarts so far: %d, the last one %s ago", n, p.Process.Age.Round(time.Second)))
	}
	if reasons != nil {
		return HealthDegraded, p.Name + " runs; " + strings.Join(reasons, "; ")
	}
	text := fmt.Sprintf("%s runs and is not quiet, process %d", p.Name, p.Process.MainPID)
	if version := ReadTitle(p.Process.Title).Version; version != "" {
		text += ", Sidekiq " + version
	}
	if p.Release != "" {
		text += ", in " + p.Release
	}
	return HealthUp, text
}

// runs reports whether a process is up, by its own word. A program of the
// user's own that says nothing is up when it has run for a minute.
func (p UnitReport) runs() bool {
	if p.Process.MainPID == 0 || p.Foreign && !p.Process.Ready {
		return false
	}
	return p.Activity == converge.Up || p.Activity == converge.Starting && p.Untitled && p.Process.ActiveState == "active" && p.Process.Age >= time.Minute
}

// since says for how long a process, or its end, has been as it is.
func since(p *UnitReport) string {
	if p.Since.Unix() <= 0 {
		return ""
	}
	return ", since " + p.Since.UTC().Format(time.RFC3339)
}

// OfOthers reports whether a unit file is not this collection's and runs a program
// that is not known to be Sidekiq.
func OfOthers(unitFile string) bool {
	_, origin := OriginOf(unitFile)
	return origin != Ours && Untitled(unitFile)
}

// Untitled reports whether a unit file runs a program of the user's own, of
// which nobody knows what it shows in its title.
func Untitled(unitFile string) bool {
	commands := valuesIn(unitFile, "ExecStart")
	if commands == nil {
		return false
	}
	words, _ := systemd.Words(commands[0])
	return !startSidekiq(words)
}

// Prometheus is the same for the textfile collector of Prometheus' node
// exporter: the exposition format, version 0.0.4. What this user may not see
// has no line.
func (s *Report) Prometheus(name string) string {
	var b strings.Builder
	for _, m := range []struct {
		name, kind, help string
		value            func(UnitReport) (int, bool)
	}{
		{"up", "gauge", "1 where the process runs and, by its own word, is not quiet", func(p UnitReport) (int, bool) { return number(p.runs()), true }},
		{"quiet", "gauge", "1 where the process takes no more jobs", func(p UnitReport) (int, bool) {
			return number(p.Activity == converge.Quiet || p.Activity == converge.Quieting), true
		}},
		{"stale", "gauge", "1 where the process is older than its unit or environment files", func(p UnitReport) (int, bool) { return number(len(p.Stale) > 0), true }},
		{"old_release", "gauge", "1 where the process runs another release than the one deployed", func(p UnitReport) (int, bool) {
			return number(p.Release != s.Release), p.Release != "" && s.Release != ""
		}},
		{"restarts_total", "counter", "how often systemd has restarted the process by itself since it was last started by hand", func(p UnitReport) (int, bool) { return p.Process.Restarts, !p.Process.Uncounted }},
	} {
		fmt.Fprintf(&b, "# HELP sidekiq_%s %s\n# TYPE sidekiq_%[1]s %[3]s\n", m.name, m.help, m.kind)
		for _, p := range s.Processes {
			if value, known := m.value(p); known {
				fmt.Fprintf(&b, "sidekiq_%s{service=%q,unit=%q} %d\n", m.name, name, p.Name, value)
			}
		}
	}
	return b.String()
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
