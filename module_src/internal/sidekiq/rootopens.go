// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// opening is a directive by whose value root opens something, or mounts it, for
// the service.
type opening struct {
	directive string
	why       string // what the service's user could do with a link in its place

	// paths are the paths in a value, as they stand there; those that are not
	// absolute are no paths or lead to directories of root's.
	paths func(value string) ([]string, error)

	// rootsOwn says that what is there must be root's, too, and not only the
	// way to it.
	rootsOwn bool

	// shown says that the service gets to see the content, so that it is worth
	// a warning where everybody can read it.
	shown bool
}

// Why what is opened has to be root's.
const (
	whyRead    = "a link in its place would show the service's user what only root may read"
	whyWritten = "a link in its place would give the service's user root's files to write to"
	whyInside  = "whoever can change it can put files of his own where programs of root's look for theirs, such as /etc/ld.so.preload"
	whyJoined  = "a link in its place would put the service into another's namespace"
	whyMounted = "a link in its place would be followed by root, and what only root may reach, or /etc itself, be laid open or covered"
	whyKernel  = "a link in its place would name another program for the kernel"
)

// openings are all directives by whose value root opens something.
var openings = []opening{
	{directive: "OpenFile", why: whyWritten, paths: beforeColon},
	{directive: "LoadCredential", why: whyRead, paths: afterColon, shown: true},
	{directive: "LoadCredentialEncrypted", why: whyRead, paths: afterColon, shown: true},
	{directive: "TTYPath", why: "a link in its place would give the service's user another's terminal", paths: whole},
	{directive: "RootDirectory", why: whyInside, paths: whole, rootsOwn: true},
	{directive: "RootImage", why: whyInside, paths: whole, rootsOwn: true},
	{directive: "RootMStack", why: whyInside, paths: whole, rootsOwn: true},
	{directive: "RootVerity", why: whyInside, paths: whole, rootsOwn: true},
	{directive: "RootHashSignature", why: whyInside, paths: whole, rootsOwn: true},
	{directive: "ExtensionDirectories", why: whyInside, paths: places, rootsOwn: true},
	{directive: "ExtensionImages", why: whyInside, paths: places, rootsOwn: true},
	{directive: "MountImages", why: whyInside, paths: places, rootsOwn: true},
	{directive: "BindPaths", why: whyMounted, paths: bothPlaces},
	{directive: "BindReadOnlyPaths", why: whyMounted, paths: bothPlaces},
	{directive: "TemporaryFileSystem", why: whyMounted, paths: places},
	{directive: "UserNamespacePath", why: whyJoined, paths: whole},
	{directive: "NetworkNamespacePath", why: whyJoined, paths: whole},
	{directive: "IPCNamespacePath", why: whyJoined, paths: whole},
	{directive: "BPFProgram", why: whyKernel, paths: afterColon},
	{directive: "IPIngressFilterPath", why: whyKernel, paths: whole},
	{directive: "IPEgressFilterPath", why: whyKernel, paths: whole},
	{directive: "USBFunctionDescriptors", why: whyRead, paths: whole},
	{directive: "USBFunctionStrings", why: whyRead, paths: whole},
}

// openingBy is what root opens by a directive. Its why is empty where that is
// nothing.
func openingBy(directive string) opening {
	for _, o := range openings {
		if o.directive == directive {
			return o
		}
	}
	return opening{}
}

func whole(value string) ([]string, error) {
	return []string{strings.TrimLeft(value, "-+")}, nil
}

// beforeColon is the path of path:name:options. systemd takes C escapes in it.
func beforeColon(value string) ([]string, error) {
	if strings.Contains(value, `\`) {
		return nil, errEscapes
	}
	file, _, _ := strings.Cut(value, ":")
	return []string{file}, nil
}

// afterColon is the path of name:path.
func afterColon(value string) ([]string, error) {
	if strings.Contains(value, `\`) {
		return nil, errEscapes
	}
	_, file, _ := strings.Cut(value, ":")
	return []string{file}, nil
}

var errEscapes = errors.New("holds a backslash, and what systemd makes of it there is not known here")

// places are the first paths of words such as "source:destination:options".
func places(value string) ([]string, error) {
	return placesOf(value, func(parts []string) []string { return parts[:1] })
}

// bothPlaces are the first two paths of such words. What is mounted over a
// place that a link leads to covers the end of the link.
func bothPlaces(value string) ([]string, error) {
	return placesOf(value, func(parts []string) []string { return parts[:min(2, len(parts))] })
}

func placesOf(value string, choose func([]string) []string) ([]string, error) {
	if strings.Contains(value, `\`) {
		return nil, errEscapes
	}
	words, err := systemd.Words(value)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, w := range words {
		parts := strings.Split(strings.TrimLeft(w, "-+"), ":")
		if len(parts) > 1 && strings.ContainsAny(value, `"'`) {
			// A colon in quotes belongs to the path, and Words has taken the
			// quotes away. So all that could be paths are judged.
			for i := range parts {
				paths = append(paths, strings.Join(parts[:i+1], ":"), strings.Join(parts[i:], ":"))
			}
			continue
		}
		paths = append(paths, choose(parts)...)
	}
	return paths, nil
}

// opened checks a value of such a directive, as far as that can be done without
// the host.
func opened(name, value string) error {
	o := openingBy(name)
	if o.paths == nil {
		return nil
	}
	paths, err := o.paths(value)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if !oneMeaning(p) {
			return fmt.Errorf("a path that root opens must not hold specifiers but %%%%, %%i and %%n, got %q: "+
				"where they lead is not known here", p)
		}
	}
	return nil
}

// rootFile is a path that systemd opens as root for the service.
type rootFile struct {
	option, path string
	opening
}

// rootFiles are all paths that systemd opens as root for the service.
func (s *Service) rootFiles() []rootFile {
	var files []rootFile
	for _, own := range s.owns() {
		for _, f := range own.ownRootFiles() {
			if !slices.ContainsFunc(files, func(a rootFile) bool { return a.path == f.path && a.option == f.option && a.why == f.why }) {
				files = append(files, f)
			}
		}
	}
	return files
}

// ownRootFiles are those of one process.
func (s *Service) ownRootFiles() []rootFile {
	var files []rootFile
	env := opening{why: whyRead, shown: true}
	for _, f := range s.environmentPaths() {
		files = append(files, rootFile{"env_files", f, env})
	}
	for _, d := range s.Directives {
		o := openingBy(d.Name)
		if o.paths == nil || d.Section != "Service" {
			continue
		}
		for _, v := range d.Values {
			paths, _ := o.paths(v) // what cannot be read was refused
			for _, p := range paths {
				if p = plain(p, s.Unit()); path.IsAbs(p) {
					files = append(files, rootFile{"directives", path.Clean(p), o})
				}
			}
		}
	}
	return files
}

// checkRootFiles refuses what somebody else could replace, and warns of secrets
// that everybody can read.
func (w *wanting) checkRootFiles() {
	for _, f := range w.rootFiles() {
		fact := w.facts.RootFiles[f.path]
		why := fact.Replaceable
		if why == "" && (f.rootsOwn || f.shown && fact.Directory) {
			why = fact.Writable
		}
		switch {
		case why != "":
			w.fail(f.option, "systemd opens %s as root for the service, and %s; %s; keep it in a directory of root's, such as /etc/%s",
				f.path, why, f.why, w.Name)
		case fact.Public && f.shown && !fact.Directory:
			w.warn("every user of the host can read %s (%s); if it holds secrets: chmod o= %s", f.path, f.option, shell.Word(f.path))
		}
	}
}
