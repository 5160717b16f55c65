// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// run is one run of the module that the request names.
func (p program) run(c command, stdin io.Reader) answer {
	ctx, stop := p.interruptible()
	defer stop()
	return untilInterrupted(ctx, func(begin func() error) answer { return p.answerOf(ctx, c, stdin, begin) })
}

// answerOf is the answer to a request. The function begin is called before
// anything is changed, and its error is that nothing may be changed any more.
func (p program) answerOf(ctx context.Context, c command, stdin io.Reader, begin func() error) answer {
	options, arrived := io.Reader(untilDone{ctx, stdin}), func() {}
	if !c.inWords() { // a person may take time to type them
		options, arrived = arriving(ctx, stdin, optionsTime)
	}
	req, cached, err := p.read(c, options)
	arrived()
	if err != nil {
		return answer{Result: failure(err)}
	}
	req.Check = req.Check || c.check
	req.Diff = req.Diff || c.diff
	a := p.answerTo(ctx, req, begin)
	if cached != nil && !a.Failed {
		cached.Store()
	}
	return a
}

func (p program) answerTo(ctx context.Context, req ansible.Request, begin func() error) answer {
	// A task may give the module's name with or without its collection.
	switch req.Name[strings.LastIndex(req.Name, ".")+1:] {
	case "sidekiq_service_info":
		i, err := p.info(ctx, req)
		if err != nil {
			return answer{Result: failure(err), failureOnly: true}
		}
		return answer{other: i}
	case "sidekiq_service_verify":
		v := p.verify(ctx, req, begin)
		return answer{Result: results.Result{Failed: v.Failed}, other: v}
	}
	return answer{Result: p.manage(ctx, req, begin)}
}

// read reads the request. With a digest on the command line, the request may
// lie in the cache beside the program; the second result is then its place
// there, and nil otherwise.
func (p program) read(c command, stdin io.Reader) (ansible.Request, *host.CachedRequest, error) {
	if c.cached == "" || p.dir == "" {
		req, err := ansible.ReadRequest(c.file, stdin)
		return req, nil, err
	}
	return host.ReadRequest(p.dir, c.cached, stdin)
}

// answer is what a run returns to its task.
type answer struct {
	results.Result
	other       any  // what is printed in place of the Result; nil: nothing
	failureOnly bool // only print that the run failed, and why
}

// failure is the result of a run that failed with err before it changed
// anything.
func failure(err error) results.Result {
	return results.Result{Failed: true, Msg: err.Error()}
}

// complete is the Result with what every result has: a list of steps and, for a
// failure, a reason.
func (a answer) complete() results.Result {
	r := a.Result
	if r.Failed && r.Msg == "" {
		r.Msg = "failed without saying why"
	}
	if r.Steps == nil {
		r.Steps = []string{}
	}
	return r
}

// manage is a run of the module sidekiq_service: read, parse, look, work out,
// verify, apply.
func (p program) manage(ctx context.Context, req ansible.Request, begin func() error) results.Result {
	byName, err := sidekiq.ParseByName(req)
	if err != nil {
		return failure(err)
	}
	var service sidekiq.Service
	if byName != nil {
		service = byName.Service
	} else if service, err = sidekiq.Parse(req); err != nil {
		return failure(err)
	}
	h, err := p.open(ctx, host.Options{UnitDir: service.UnitDir, Check: req.Check})
	if err != nil {
		return failure(interruption(ctx, err))
	}
	defer h.Close()
	if !req.Check {
		release, err := h.Lock(ctx, append(service.Paths(), sidekiq.HealthPath)...)
		if err != nil {
			return failure(err)
		}
		defer release()
	}
	r := progress{request: req, service: service, byName: byName, begin: begin}
	r.failed = interruption(ctx, r.converge(ctx, h))
	return r.result()
}

// progress is what is known at any moment of a run, for its result.
type progress struct {
	request  ansible.Request
	begin    func() error // is called before anything is changed; an error forbids it
	service  sidekiq.Service
	byName   *sidekiq.ByName // nil: the task describes the service
	facts    *sidekiq.Facts  // nil: not known yet
	want     converge.State
	have     converge.State
	plan     converge.Plan
	applied  bool           // the plan was carried out, all of it or in part
	after    *converge.Unit // the service after that; nil where nobody has looked
	backup   string         // where replaced files are kept; empty: nowhere
	warnings []string
	failed   error
}

// converge fills in what is known as it goes along. It returns at the first
// error; what it has found out by then remains.
func (r *progress) converge(ctx context.Context, h machine) error {
	look := r.look
	if r.byName != nil {
		look = r.lookByName
	}
	if err := look(ctx, h); err != nil {
		return err
	}
	if err := r.askLogins(ctx, h); err != nil {
		return err
	}
	var err error
	r.plan, err = r.plan.Verify(ctx, h, r.facts.Deployed)
	r.warn(r.plan.Verdict.Warnings)
	if err != nil || r.request.Check || len(r.plan.Steps)+len(r.plan.Proofs) == 0 {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	then := converge.Keep
	if r.service.Rollback {
		then = converge.Rollback
	}
	r.applied = true
	began := h.Now()
	warnings, err := r.plan.Apply(ctx, h, then)
	r.warn(warnings)
	r.lookAgain(context.WithoutCancel(ctx), h)
	if err == nil {
		r.listen(ctx, h, began)
	}
	return err
}

// askLogins has login shells look for Bundler, as the service would. What cannot be
// looked for, or is not there yet, is a warning.
func (r *progress) askLogins(ctx context.Context, h machine) error {
	for _, l := range r.service.Logins(r.plan) {
		if r.request.Check {
			r.warn([]string{l.NotLooked()})
			continue
		}
		found, err := h.Finds(ctx, l)
		switch {
		case err != nil:
			r.warnings = append(r.warnings, fmt.Sprintf("could not look: %v", err))
		case !found && r.facts.Deployed && !l.Unsure:
			return errors.New(l.NotFound())
		case !found:
			r.warn([]string{l.NotFound()})
		}
	}
	return nil
}

const (
	titleTime   = 2 * time.Second // from the word to systemd that Sidekiq is ready to its first heartbeat
	titlePause  = 50 * time.Millisecond
	refusalTime = 100 * time.Millisecond // from the first heartbeat to what Redis answers it, in the log
)

// listen warns where a Sidekiq that has come up says in its log that it can do no
// jobs. It says so right after its first heartbeat, which shows in its title.
func (r *progress) listen(ctx context.Context, h machine, began time.Time) {
	for _, u := range r.plan.Proofs {
		if u.Proof.Timeout == 0 || u.Umbrella {
			continue
		}
		for end := h.Now().Add(titleTime); h.Now().Before(end); {
			p, err := h.Process(ctx, u.Name)
			if err != nil {
				return
			}
			if p.Ready || p.Quiet {
				break
			}
			if h.Sleep(ctx, titlePause) != nil {
				return
			}
		}
		if h.Sleep(ctx, refusalTime) != nil {
			return
		}
		if why := sidekiq.Refusal(h.Traces(ctx, u.Name, converge.Process{}, began).Log); why != "" {
			r.warnings = append(r.warnings, fmt.Sprintf("%s runs, and its log says that it can do no jobs: %s", u.Name, why))
		}
	}
}

// lookAgain looks at the service once more, for the result. By then everything
// is done and proven, or has failed for a reason of its own, so it is no failure
// if the service cannot be looked at.
func (r *progress) lookAgain(ctx context.Context, h machine) {
	after, err := h.Unit(ctx, r.service.Unit())
	if err != nil {
		r.warnings = append(r.warnings, fmt.Sprintf("could not look at %s after that: %v", r.service.Unit(), err))
		return
	}
	r.after = &after
}

// look works out what the host should have, what it has, and the difference.
func (r *progress) look(ctx context.Context, h machine) error {
	facts, err := h.Facts(ctx, r.service.Questions())
	if err != nil {
		return err
	}
	r.facts = &facts
	for _, what := range facts.Unseen {
		r.warnings = append(r.warnings, "could not look: "+what)
	}
	want, warnings, err := r.service.Want(facts)
	r.warn(warnings)
	if err := r.allowUnmet(err); err != nil {
		return r.allAtOnce(ctx, h, want, err)
	}
	r.want = want
	if r.have, err = converge.Observe(ctx, h, want); err != nil {
		return err
	}
	r.want = sidekiq.SpareLaunchers(r.want, r.have)
	warnings, err = r.service.Conflicts(r.want, r.have)
	r.warn(warnings)
	if err != nil {
		return err
	}
	r.want, r.backup = r.service.KeepReplaced(r.want, converge.Diff(r.want, r.have), h.Now())
	r.plan = converge.Diff(r.want, r.have).Because(func(was, want converge.File) string { return r.service.Reason(facts, was, want) })
	r.warn(r.plan.Warnings)
	if err := r.service.CheckLaunchers(r.plan, r.want, r.have); err != nil {
		return err
	}
	return r.allowUnmet(r.service.CheckWritable(r.plan, facts))
}

// allAtOnce is what is wrong with the options, and with it what stands in the
// way on the host, so that nobody runs into one after the other.
func (r *progress) allAtOnce(ctx context.Context, h machine, want converge.State, wrong error) error {
	have, err := converge.Observe(ctx, h, want)
	if err != nil {
		return wrong
	}
	var inTheWay *sidekiq.ConflictError
	if _, err = r.service.Conflicts(want, have); !errors.As(err, &inTheWay) {
		return wrong
	}
	for _, reason := range inTheWay.Reasons {
		if !strings.Contains(wrong.Error(), reason) {
			wrong = fmt.Errorf("%w; %s", wrong, reason)
		}
	}
	return wrong
}

// allowUnmet turns an [sidekiq.UnmetError] into warnings in check mode, where
// an earlier task of the play may be going to make what is missing.
func (r *progress) allowUnmet(err error) error {
	var unmet *sidekiq.UnmetError
	if !r.request.Check || !errors.As(err, &unmet) {
		return err
	}
	for _, reason := range unmet.Reasons {
		r.warnings = append(r.warnings, "could not verify: "+reason)
	}
	return nil
}

func (r *progress) warn(warnings []string) { r.warnings = append(r.warnings, warnings...) }
