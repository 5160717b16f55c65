// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"strconv"
	"strings"
	"time"
)

// Title is what a Sidekiq says of itself in the title of its process, such as
// "sidekiq 7.3.2 laevigata [0 of 5 busy]", followed by "stopping" once it takes
// no more jobs. Sidekiq sets the title from its heartbeat, and so only after it
// has booted and reached Redis; until then the title is the command line that
// it was started with.
type Title struct {
	Version string // empty: not said
	Ready   bool   // has booted, reached Redis and is not quiet; whether jobs get done, it does not say
	Quiet   bool   // takes no more jobs
}

// quietTime bounds the wait for a title that says quiet, after the signal was
// sent. Sidekiq renews its title every 5 seconds, and from 7.0 on every 10; a
// job that keeps the processor delays that.
const quietTime = 30 * time.Second

// TitleDelay is how long a Sidekiq that was told to be quiet may still say in
// its title that it is not.
const TitleDelay = quietTime

// ReadTitle reads the title of a process. A title that is not Sidekiq's own
// says nothing. The process belongs to the deploy user, who may write whatever
// he likes there.
func ReadTitle(title string) Title {
	words := strings.Fields(title)
	if !strings.HasPrefix(title, "sidekiq ") || len(words) < 3 {
		return Title{}
	}
	var t Title
	if len(numbers(words[1])) > 1 && onlyRunes(words[1], ".-") {
		t.Version = words[1]
	}
	if state, found := busy(title); found {
		t.Quiet = strings.Contains(state, "stopping")
		t.Ready = !t.Quiet
	}
	return t
}

// StartsOthers reports whether a title is that of the parent from which Sidekiq
// Enterprise starts its processes: it takes no jobs itself, and passes signals
// on to them.
func StartsOthers(title string) bool {
	first, _, _ := strings.Cut(title, " ")
	return strings.HasPrefix(path.Base(first), "sidekiqswarm")
}

// busy finds "[0 of 5 busy]" and returns what stands behind it.
func busy(title string) (state string, found bool) {
	before, state, found := strings.Cut(title, " busy]")
	open := strings.LastIndex(before, "[")
	if !found || open < 0 {
		return "", false
	}
	some, all, found := strings.Cut(before[open+1:], " of ")
	return state, found && isCount(some) && isCount(all)
}

func isCount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
