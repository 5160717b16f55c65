// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

func TestFilesThatSystemdReadsAsRootMustBeRoots(t *testing.T) {
	const swap = "the directory /opt/x belongs to uid 1000, who could replace what root has below it"
	for options, option := range map[string]string{
		`"env_files": ["-/opt/x/.env"]`:                                                  `option "env_files"`,
		`"directives": {"Service": {"LoadCredential": ["a", "key:/opt/x/.env"]}}`:        `option "directives"`,
		`"directives": {"Service": {"LoadCredentialEncrypted": "key:/opt/x/../x/.env"}}`: `option "directives"`,
	} {
		s := mustParse(t, project(options))
		if got := s.Questions().RootFiles; len(got) != 1 || got[0] != "/opt/x/.env" {
			t.Errorf("%s: asked about %q", options, got)
		}
		facts := debian12()
		facts.RootFiles = map[string]RootFile{"/opt/x/.env": {Replaceable: swap}}
		if _, _, err := s.Want(facts); err == nil || !strings.Contains(err.Error(), option) || !strings.Contains(err.Error(), swap) {
			t.Errorf("%s: got %v", options, err)
		}
		facts.RootFiles = map[string]RootFile{"/opt/x/.env": {Public: true}}
		if _, warnings, err := s.Want(facts); err != nil || !strings.Contains(strings.Join(warnings, "\n"), "chmod o= /opt/x/.env") {
			t.Errorf("%s: got %q, %v", options, warnings, err)
		}
		facts.RootFiles = map[string]RootFile{"/opt/x/.env": {}}
		if _, warnings, err := s.Want(facts); err != nil || len(warnings) > 0 {
			t.Errorf("%s: got %q, %v", options, warnings, err)
		}
	}
}

// TestEveryWayToSayAPathIsJudged shows what is asked of the host for values in
// each syntax that systemd has for such a path.
func TestEveryWayToSayAPathIsJudged(t *testing.T) {
	for value, want := range map[string]string{
		`"OpenFile": "/a/x:name:read-only"`:                  "/a/x",
		`"TTYPath": "/a/%%i%i"`:                              "/a/%i",
		`"RootDirectory": "-/a"`:                             "/a",
		`"RootImage": "/a/%n"`:                               "/a/p.service",
		`"BindPaths": "/a:/b:norbind -/c"`:                   "/a /b /c",
		`"BindReadOnlyPaths": "\"/a b:/c\""`:                 "/a b /a b:/c /c",
		`"TemporaryFileSystem": "/a:mode=1777 /b"`:           "/a /b",
		`"MountImages": "-/a.raw:/b"`:                        "/a.raw",
		`"BPFProgram": "egress:/sys/fs/bpf/a"`:               "/sys/fs/bpf/a",
		`"RootHashSignature": "base64:AAAA"`:                 "",
		`"LoadCredential": ["c", "c:relative", "d:/a/../b"]`: "/b",
		`"BindPaths": ["/a", ""]`:                            "/a",
		`"ReadWritePaths": "/a"`:                             "",
	} {
		s := mustParse(t, `{"project_name": "q", "name": "p", "directives": {"Service": {`+value+`}}}`)
		if got := strings.Join(s.Questions().RootFiles, " "); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
	for _, value := range []string{
		`"OpenFile": "%S/x"`, `"LoadCredential": "c:%S/laevigata/token"`, `"BindPaths": "%h/x:/y"`, `"RootDirectory": "/a/%f"`,
		`"OpenFile": "/a\\x2f"`, `"BindPaths": "/a:\\x2fetc"`, `"StateDirectory": "%p"`, `"ExecStartPre": "%h/bin/x"`,
		`"ExecStopPost": "\"%C/x\""`, `"TemporaryFileSystem": "\"/a"`,
	} {
		if _, err := parse(project(`"directives": {"Service": {` + value + `}}`)); err == nil {
			t.Errorf("%s: want an error", value)
		}
	}
	for _, value := range []string{`"ExecStartPre": "/opt/%i/%n%% %h"`, `"ExecPaths": "+/a ; /b"`, `"Environment": null`} {
		if _, err := parse(project(`"directives": {"Service": {` + value + `}}`)); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestWhatIsRootsOnlyAsToTheWayMayBeTheServicesOwn(t *testing.T) {
	facts := debian12()
	facts.RootFiles = map[string]RootFile{"/srv/x": {Writable: "/srv/x belongs to uid 1000", Directory: true}}
	for directive, fails := range map[string]bool{
		`"BindPaths": "/srv/x"`: false, `"OpenFile": "/srv/x"`: false, `"RootDirectory": "/srv/x"`: true, `"LoadCredential": "c:/srv/x"`: true,
	} {
		_, _, err := mustParse(t, project(`"directives": {"Service": {`+directive+`}}`)).Want(facts)
		if (err != nil) != fails {
			t.Errorf("%s: got %v", directive, err)
		}
	}
}

func TestADirectoryOfAnothersIsNotGivenAway(t *testing.T) {
	s := mustParse(t, project(`"directives": {"Service": {"StateDirectory": "another x/y:link a::ro", "CacheDirectory": "c"}}`))
	if got := strings.Join(s.Questions().OwnDirectories, " "); got != "/var/cache/c /var/lib/another /var/lib/x/y /var/lib/link /var/lib/a" {
		t.Errorf("asked about %s", got)
	}
	facts := debian12()
	facts.Occupied = map[string]string{"/var/lib/another": "it is root's and not empty"}
	if _, _, err := s.Want(facts); err == nil || !strings.Contains(err.Error(), "/var/lib/another") || strings.Contains(err.Error(), "/var/lib/x") {
		t.Errorf("got %v", err)
	}
}

func TestAPathIsJudgedAsEachProcessHasIt(t *testing.T) {
	q := mustParse(t, project(`"processes": 2, "directives": {"Service": {"LoadCredential": "k:/srv/%i/key", "RuntimeDirectory": "%i"}}`)).Questions()
	if got := strings.Join(append(q.RootFiles, q.OwnDirectories...), " "); got != "/srv/1/key /srv/2/key /run/1 /run/2" {
		t.Errorf("asked about %s", got)
	}
}

func TestDirectivesThatLoseJobsAreWarnings(t *testing.T) {
	for value, warned := range map[string]bool{
		`"KillSignal": "SIGKILL"`: true, `"RestartKillSignal": "9"`: true, `"KillSignal": ["INT", "SIGTERM"]`: false, `"FinalKillSignal": "SIGKILL"`: false,
		`"NotifyAccess": "all"`: true, `"NotifyAccess": "main"`: false,
	} {
		_, warnings, err := mustParse(t, project(`"directives": {"Service": {`+value+`}}`)).Want(debian12())
		if got := strings.Contains(strings.Join(warnings, " "), "running jobs"); got != warned || err != nil {
			t.Errorf("%s: %v, %v", value, warnings, err)
		}
	}
}

func TestADirectoryFromWhichRootTakesOrdersIsNotGivenAway(t *testing.T) {
	for value, fails := range map[string]bool{
		`"RuntimeDirectory": "systemd/system/cron.service.d"`: true, `"RuntimeDirectory": "udev/rules.d"`: true, `"RuntimeDirectory": "tmpfiles.d"`: true,
		`"RuntimeDirectory": "x:systemd/system/cron.service.d"`: true, `"StateDirectory": "p systemd/linger"`: true,
		`"CacheDirectory": "curationexperts.sidekiq"`: true, `"RuntimeDirectory": "p/tmp"`: false, `"StateDirectory": "lib"`: false,
		`"LogsDirectory": "p.data x:y"`: false, `"RuntimeDirectory": "%i"`: true, `"RuntimeDirectory": "."`: true, `"StateDirectory": ".."`: true,
		`"CacheDirectory": "../.."`: true, `"RuntimeDirectory": "lib"`: false,
	} {
		_, _, err := mustParse(t, project(`"directives": {"Service": {`+value+`}}`)).Want(debian12())
		if (err != nil) != fails {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

func TestTheServiceIsNeverRootByAnotherName(t *testing.T) {
	facts := debian12()
	facts.Users["toor"] = User{UID: 0, GID: 0, Group: "root"}
	facts.Users["operator"] = User{UID: 1005, GID: 0, Group: "root"}
	facts.Groups["wheel"] = Group{GID: 0}
	for options, word := range map[string]string{
		`"user": "root"`:                    `option "user"`,
		`"user": "toor"`:                    "user id 0",
		`"user": "operator"`:                "group id 0",
		`"group": "root"`:                   `option "group"`,
		`"group": "wheel"`:                  "group id 0",
		`"user": "0"`:                       `option "user"`,
		`"user": 0`:                         `option "user"`,
		supplementary("root"):               "SupplementaryGroups",
		supplementary("adm 0"):              "SupplementaryGroups",
		supplementary("+00"):                "SupplementaryGroups",
		supplementary("adm 0x0"):            "SupplementaryGroups",
		supplementary("%i"):                 "SupplementaryGroups",
		supplementary("adm wheel"):          "group id 0",
		supplementary(`r\\oot`):             "SupplementaryGroups",
		supplementary("adm 'wheel'"):        "group id 0",
		supplementary("'root'"):             "SupplementaryGroups",
		capability(`CAP_CHO\\WN`):           "AmbientCapabilities",
		capability("CAP_SYS_ADMIN"):         "CAP_SYS_ADMIN",
		capability("CAP_NET_RAW CAP_CHOWN"): "CAP_CHOWN",
		capability("~CAP_NET_RAW"):          "~CAP_NET_RAW",
	} {
		s, err := parse(project(options))
		if err == nil {
			_, _, err = s.Want(facts)
		}
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want something about %s", options, err, word)
		}
	}
	for _, options := range []string{supplementary("operators"), capability("CAP_NET_BIND_SERVICE CAP_SYS_NICE"), `"user": "operator", "group": "deploy"`} {
		if _, _, err := mustParse(t, project(options)).Want(facts); err != nil {
			t.Errorf("%s: %v", options, err)
		}
	}
}

func supplementary(groups string) string {
	return `"directives": {"Service": {"SupplementaryGroups": "` + groups + `"}}`
}

func capability(names string) string {
	return `"directives": {"Service": {"AmbientCapabilities": "` + names + `"}}`
}

// project completes the options of a task.
func project(options string) string { return `{"project_name": "p", ` + options + `}` }
