// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/scripthost"
)

// TestARequestThatWasRunWithoutAnErrorIsNotReadAgain gives the second run a
// standard input that fails.
func TestARequestThatWasRunWithoutAnErrorIsNotReadAgain(t *testing.T) {
	h := scripthost.New()
	if err := h.Given("systemd 252"); err != nil {
		t.Fatal(err)
	}
	p := onHost(h)
	p.dir = t.TempDir()
	const request = `{"project_name": "laevigata", "sudo": false, "_ansible_check_mode": true}`
	silent := iotest.ErrReader(errors.New("nobody sends anything"))
	var first, second, other bytes.Buffer
	if status := p.main([]string{"--cached=" + digest, "-"}, strings.NewReader(request), &first, &first); status != 0 {
		t.Fatalf("status %d: %s", status, first.String())
	}
	if status := p.main([]string{"--cached=" + digest, "-"}, silent, &second, &second); status != 0 || first.String() != second.String() {
		t.Errorf("status %d: %s, want %s", status, second.String(), first.String())
	}
	if status := p.main([]string{"--cached=" + strings.Repeat("0b", 32), "-"}, silent, &other, &other); status != 1 || !strings.Contains(other.String(), "nobody sends anything") {
		t.Errorf("another digest: status %d: %s", status, other.String())
	}
}
