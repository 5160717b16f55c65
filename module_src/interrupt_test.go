// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	silent, _ := io.Pipe()
	why := errors.New("interrupted")
	cancel(why)
	if _, err := io.ReadAll(untilDone{ctx, silent}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestReadingUntilThenIsThatOfTheReader(t *testing.T) {
	text, err := io.ReadAll(untilDone{context.Background(), strings.NewReader("text")})
	if string(text) != "text" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}
