// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestASocketWhoseOtherEndIsGoneRaisesNoSignal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s, err := openSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 1<<20) // more than goes in at once
	read := make(chan int64)
	go func() { n, _ := io.Copy(io.Discard, io.LimitReader(other, int64(len(large)))); read <- n }()
	if n, err := s.Write(large); n != len(large) || err != nil || <-read != int64(len(large)) {
		t.Errorf("wrote %d: %v", n, err)
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGPIPE)
	defer signal.Stop(signals)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v", err)
	}
	select {
	case got := <-signals:
		t.Errorf("got the signal %v", got)
	case <-time.After(50 * time.Millisecond):
	}
}
