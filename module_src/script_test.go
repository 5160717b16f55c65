// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"gopkg.in/yaml.v3"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/scripthost"
)

var update = flag.Bool("update", false, "write what the scripts in testdata compare with anew")

// TestScripts shows whole runs: testdata/script/README.md says how to read and
// write a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values[hostKey{}] = scripthost.New()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"given": given, "run": runProgram, "host": showHost, "health": showHealth,
		},
		UpdateScripts: *update,
	})
}

type hostKey struct{}

func hostOf(ts *testscript.TestScript) *scripthost.Host {
	return ts.Value(hostKey{}).(*scripthost.Host)
}

// given FILE... makes the host what the files say.
func given(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: given FILE...")
	}
	for _, file := range args {
		ts.Check(hostOf(ts).Given(ts.ReadFile(file)))
	}
}

// showHost prints what the host is like. With "files" it prints all files and
// nothing about units.
func showHost(ts *testscript.TestScript, neg bool, args []string) {
	text := hostOf(ts).Show()
	switch {
	case neg, len(args) > 1, len(args) == 1 && args[0] != "files":
		ts.Fatalf("usage: host [files]")
	case len(args) == 1:
		text = hostOf(ts).Files()
	}
	_, err := io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

// showHealth STATUS NAME [--prometheus] prints what the health command says, and
// wants it to end with that status.
func showHealth(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: health STATUS NAME [--prometheus]")
	}
	status := onHost(hostOf(ts)).health(args[1:], ts.Stdout())
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("status %d", status)
	}
}

// runProgram [FLAG...] FILE runs the program, with "!" where it should fail.
// Where the program answers in JSON, the answer is printed as YAML.
func runProgram(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: run [FLAG...] FILE")
	}
	args = slices.Clone(args)
	file := &args[len(args)-1]
	*file = ts.MkAbs(*file)
	var out bytes.Buffer
	status := onHost(hostOf(ts)).main(args, strings.NewReader(""), &out, ts.Stderr())
	text := out.Bytes()
	if json.Valid(text) {
		text = readable(ts, text)
	}
	_, err := ts.Stdout().Write(text)
	ts.Check(err)
	if failed := status != 0; failed != neg {
		ts.Fatalf("status %d:\n%s", status, text)
	}
}

// readable is a result as YAML, the form in which people know results of
// Ansible.
func readable(ts *testscript.TestScript, result []byte) []byte {
	var document yaml.Node
	ts.Check(yaml.Unmarshal(result, &document)) // which JSON is a part of
	plain(document.Content[0], 0)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	ts.Check(e.Encode(&document))
	return b.Bytes()
}

// plain takes the quotes and braces of JSON from a node. Small objects keep
// them and stay on one line.
func plain(n *yaml.Node, depth int) {
	n.Style = 0
	small := n.Kind == yaml.MappingNode && depth > 1
	for _, c := range n.Content {
		plain(c, depth+1)
		small = small && c.Kind == yaml.ScalarNode && !strings.Contains(c.Value, "\n")
	}
	if small {
		n.Style = yaml.FlowStyle
	}
}

// onHost is the program, on a host that a script describes.
func onHost(h *scripthost.Host) program {
	return program{
		open:          func(context.Context, host.Options) (machine, error) { return h.Open() },
		interruptible: h.Interruptible,
	}
}
