// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// application looks at the deployed application with its own user's rights, as
// systemd does when it starts it: root may be nobody on a file server.
func (h *Host) application(ctx context.Context, f *sidekiq.Facts, q sidekiq.Questions) error {
	if q.Dir == "" {
		return nil
	}
	reader, known := f.Users[q.Reader]
	if !known { // which is told in due course
		info, err := os.Stat(q.Dir)
		f.Deployed, err = seen(q.Dir, err)
		f.Deployed = f.Deployed && info.IsDir()
		if err == nil && f.Deployed && q.Release {
			f.Release, err = resolved(q.Dir)
		}
		if err == nil {
			f.EnvFiles, err = envFiles(q.EnvFiles, Identity{}, false)
		}
		return err
	}
	groups, err := groupsOf(q.Reader)
	if err != nil {
		return err
	}
	who := Identity{UID: reader.UID, GID: reader.GID, Groups: groups}
	// This look has a limit, and what root looks for below has none: a file server
	// that is away has to show here.
	info, ok, err := statAs(who, q.Dir)
	if err != nil {
		return err
	}
	others := otherUnits(q.Reader, reader.Home, who)
	f.OtherUnits, f.Unseen = others.units, others.unseen
	f.Running = h.running(ctx, q, reader.Home)
	if f.EnvFiles, err = envFiles(q.EnvFiles, who, true); err != nil {
		return err
	}
	h.follow(q.Logs, who)
	if !ok || !info.IsDir() {
		return nil
	}
	f.Deployed = true
	if q.Release {
		if f.Release, err = resolvedAs(who, q.Dir); err != nil {
			return err
		}
	}
	err = deployed(f, q, who)
	if _, _, inside := statAs(who, q.Dir+"/."); inside == nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("option \"user\": %q may not use what Sidekiq needs: %w", q.Reader, err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("option \"working_directory\": %q (option \"user\") may not look into %s, so it could not run there: %w", q.Reader, q.Dir, err)
	}
	return err
}

// deployed looks into the application.
func deployed(f *sidekiq.Facts, q sidekiq.Questions, who Identity) (err error) {
	if f.Lock, err = lockOf(who, q.Bundles); err != nil {
		return err
	}
	for _, path := range q.Configs {
		t, err := textOf(who, path)
		if err != nil {
			return err
		}
		if t.Found {
			f.Configs = append(f.Configs, t)
		}
	}
	for _, path := range q.Programs {
		_, ok, err := statAs(who, path)
		if err != nil {
			return err
		}
		if !ok {
			f.Missing = append(f.Missing, path)
		}
	}
	return nil
}

// lockOf reads the lock file of the first of the bundles that exists, or of the
// last one.
func lockOf(who Identity, bundles []sidekiq.Bundle) (sidekiq.Text, error) {
	for i, b := range bundles {
		_, ok, err := statAs(who, b.Gemfile)
		if err != nil {
			return sidekiq.Text{}, err
		}
		if ok || i == len(bundles)-1 {
			return textOf(who, b.Lock)
		}
	}
	return sidekiq.Text{}, nil
}

// textOf reads a file of the application. That something else is in its place
// is a fact like any other; that it could not be looked at is not.
func textOf(who Identity, path string) (sidekiq.Text, error) {
	if path == "" {
		return sidekiq.Text{}, nil
	}
	content, err := readAs(who, path)
	switch {
	case err == nil:
		return sidekiq.Text{Path: path, Content: string(content), Found: true}, nil
	case errors.Is(err, fs.ErrNotExist):
		return sidekiq.Text{}, nil
	case isOther(err):
		return sidekiq.Text{Path: path, Found: true, Problem: withoutPath(err).Error()}, nil
	}
	return sidekiq.Text{}, fmt.Errorf("cannot read %s as uid %d: %w", path, who.UID, withoutPath(err))
}
