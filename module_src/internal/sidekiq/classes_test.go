// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os"
	"strings"
	"testing"
)

// TestEveryDirectiveOfSystemdIsInOneClass compares the classes with what
// systemd itself lists, in both directions.
func TestEveryDirectiveOfSystemdIsInOneClass(t *testing.T) {
	list, err := os.ReadFile("testdata/directives.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		d := strings.TrimSpace(line)
		if strings.HasPrefix(d, "#") {
			continue
		}
		known[d] = true
		section, name, _ := strings.Cut(d, ".")
		c, why := classOf(section, name)
		// Capabilities= of systemd 229 is the directive that shows what becomes
		// of one that is not judged.
		if (c == unknown) != (d == "Service.Capabilities") || c != unknown && why == "" {
			t.Errorf("%s is in the class %q, because %q", d, c, why)
		}
	}
	if len(known) < 400 {
		t.Fatalf("%d directives", len(known))
	}
	seen := map[string]bool{}
	for _, h := range harmlessDirectives {
		for name := range strings.FieldsSeq(h.names) {
			d := h.section + "." + name
			if c, _ := classOf(h.section, name); !known[d] || seen[d] || c != harmless {
				t.Errorf("%s: listed by systemd: %v, listed twice: %v, class %q; a directive that an option owns is in no table of classes.go", d, known[d], seen[d], c)
			}
			seen[d] = true
		}
	}
	for _, o := range openings {
		if !known["Service."+o.directive] {
			t.Errorf("systemd does not list %s", o.directive)
		}
	}
}

func TestADirectiveThatIsInNoClassIsWrittenWithAWarning(t *testing.T) {
	s := mustParse(t, project(`"directives": {"Service": {"FromTheFuture": "1", "LimitNOFILE": "4096"}}`))
	want, warnings, err := s.Want(debian12())
	if err != nil || !strings.Contains(want.Files[0].Content, "\nFromTheFuture=1\n") {
		t.Fatalf("%v: %s", err, want.Files[0].Content)
	}
	if all := strings.Join(warnings, "\n"); !strings.Contains(all, "Service.FromTheFuture") || strings.Contains(all, "LimitNOFILE") {
		t.Errorf("got %q", warnings)
	}
}
