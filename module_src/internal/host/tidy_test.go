// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTidyRemovesOnlyWhatAKilledRunLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"sidekiq.service", ".sidekiq.service5645889657408571067", ".sidekiq.service", ".sidekiq.service.swp",
		".sidekiq.service12.swp", ".sidekiq-2.service17", "sidekiq.service3",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".sidekiq.service18"), 0o700); err != nil {
		t.Fatal(err)
	}
	tidy([]string{filepath.Join(dir, "sidekiq.service"), filepath.Join(dir, "nowhere", "file")})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{
		".sidekiq-2.service17", ".sidekiq.service", ".sidekiq.service.swp", ".sidekiq.service12.swp",
		".sidekiq.service18", "sidekiq.service", "sidekiq.service3",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left: %q\nwant: %q", left, want)
	}
}
