// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

func TestRedactUnitShowsNamesAndWhetherTheyChange(t *testing.T) {
	before, after := RedactUnit(
		"[Service]\nEnvironment=\"A=hunter2\" B=hunter3\nEnvironment=\"GONE=hunter4\"\nUser=deploy\n",
		"[Service]\nEnvironment=\"A=hunter2\"\nEnvironment=\"B=hunter5\"\nEnvironment=\"NEW=hunter6\"\nUser=deploy\n",
	)
	if want := "[Service]\nEnvironment=\"A=(hidden)\" \"B=(hidden, before)\"\nEnvironment=\"GONE=(hidden, before)\"\nUser=deploy\n"; before != want {
		t.Errorf("before:\n%s", before)
	}
	if want := "[Service]\nEnvironment=\"A=(hidden)\"\nEnvironment=\"B=(hidden, after)\"\nEnvironment=\"NEW=(hidden, after)\"\nUser=deploy\n"; after != want {
		t.Errorf("after:\n%s", after)
	}
}

func TestRedactUnitHidesWhateverSystemdWouldRead(t *testing.T) {
	for _, text := range []string{
		"Environment=A=hunter2\n", " Environment = \"A=hunter2 hunter2\"\n", "Environment='A=hunter2'", "Environment=A=x\\\n hunter2\n",
		"Environment=\"A=x\\\n# comment\nhunter2\"\n", "Environment=\"A=\\\"hunter2\" hunter2\n", "Environment=hunter2\n", "Environment=\"A=hunter2\n",
		"Environment=A=1 hunter2=2 B=hunter2\r\n", "Environment=\\\nA=hunter2\n",
	} {
		before, after := RedactUnit(text, text)
		if strings.Contains(strings.ReplaceAll(before+after, `"hunter2=(hidden)"`, ""), "hunter2") {
			t.Errorf("%q became %q", text, before)
		}
	}
}

func TestWhatIsCommentedOutIsHiddenAsFarAsItGoesOn(t *testing.T) {
	for _, text := range []string{
		"#Environment=A=hunter21 \\\n#    B=hunter22 \\\n# C=hunter23\nUser=deploy\n", "; Environment=A=hunter21 \\\n    \"B=hunter22\"\nUser=deploy\n",
		"#Environment=A=hunter21 \\\r\n#    B=hunter22\r\nUser=deploy\n",
	} {
		m := mustParse(t, `{"project_name": "p"}`).Mask()
		m.Unit(text)
		if got, _ := RedactUnit(text, ""); strings.Contains(got, "hunter2") || !strings.HasSuffix(got, "\nUser=deploy\n") {
			t.Errorf("%q became %q", text, got)
		} else if got := m.Text(text); strings.Contains(got, "hunter2") || !strings.Contains(got, "User=deploy") {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestRedactUnitLeavesTheRest(t *testing.T) {
	text := fixture(t, "plain-252.service")
	if before, after := RedactUnit("", text); before != "" || after != text {
		t.Errorf("got %q, %q", before, after)
	}
}
