// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	unitFile    = "/lib/systemd/system/sidekiq.service"
	sudoersFile = "/etc/sudoers.d/sidekiq-restart-users"
)

// runLimit is how long a run may take in which nothing waits for anything.
const runLimit = 90 * time.Second

// result is what the program prints, as far as it is judged here.
type result struct {
	Changed    bool     `json:"changed"`
	Failed     bool     `json:"failed"`
	Msg        string   `json:"msg"`
	RolledBack *bool    `json:"rolled_back"`
	Steps      []string `json:"steps"`
	Warnings   []string `json:"warnings"`
	Service    *struct {
		After struct {
			ActiveState string `json:"active_state"`
			MainPID     int    `json:"main_pid"`
			Enabled     bool   `json:"enabled"`
		} `json:"after"`
	} `json:"service"`
}

// readResult reads what the program printed, which has to be one line of JSON.
func readResult(output string) (result, error) {
	var r result
	if strings.Count(output, "\n") != 1 || !strings.HasSuffix(output, "\n") {
		return r, fmt.Errorf("what was printed is not one line: %q", clip(output))
	}
	if err := json.Unmarshal([]byte(output), &r); err != nil {
		return r, fmt.Errorf("what was printed is no result: %w: %q", err, clip(output))
	}
	return r, nil
}

func clip(text string) string {
	if len(text) > 300 {
		return text[:300] + " …"
	}
	return text
}

func request(o options) *bytes.Reader {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return bytes.NewReader(text)
}

// machine is the host, and the program that is tried on it.
type machine struct{ program string }

// converge is an ordinary run of the program.
func (m machine) converge(o options) (result, error) {
	cmd := exec.Command(m.program, "-")
	cmd.Stdin = request(o)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stdout
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Run() // the result says whether it failed
	return readResult(stdout.String())
}

// prepare makes the host what it is before a transition, whatever it was.
func (m machine) prepare(t transition) error {
	if t.before == nil || t.old {
		if err := clean(); err != nil {
			return err
		}
	}
	if t.old {
		return oldService()
	}
	if t.before == nil {
		return nil
	}
	r, err := m.converge(t.before)
	if err == nil && r.Failed {
		err = errors.New(r.Msg)
	}
	if err == nil {
		return nil
	}
	if err := clean(); err != nil {
		return err
	}
	if r, err = m.converge(t.before); err == nil && r.Failed {
		err = errors.New(r.Msg)
	}
	return err
}

// clean makes a host without a Sidekiq.
func clean() error {
	return shell("systemctl stop 'sidekiq*.service' 2>/dev/null; systemctl disable -q sidekiq 2>/dev/null;" +
		" pkill -KILL -u deploy -f '^sidekiq ' 2>/dev/null; rm -rf " + sudoersFile +
		" /lib/systemd/system/sidekiq* /lib/systemd/system/.sidekiq* /etc/sudoers.d/.sidekiq* /etc/systemd/system/sidekiq* /etc/systemd/system/*.wants/sidekiq*" +
		" /run/curationexperts.sidekiq; systemctl daemon-reload; systemctl reset-failed 2>/dev/null; true")
}

func oldService() error {
	if err := os.WriteFile(unitFile, []byte(oldUnit), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(sudoersFile, []byte(oldSudoers), 0o644); err != nil {
		return err
	}
	return shell("systemctl daemon-reload && systemctl enable -q --now sidekiq")
}

func shell(script string) error {
	if out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", clip(script), err, clip(string(out)))
	}
	return nil
}
