// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
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

func TestTheReaderOfTheResultIsMissed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	gone := make(chan bool)
	go func() { gone <- readerGone(w) }()
	select {
	case <-gone:
		t.Fatal("it is missed while it is there")
	case <-time.After(50 * time.Millisecond):
	}
	r.Close()
	if !<-gone {
		t.Error("it is not missed")
	}
}
