// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

// These codes say how a main process ended, in the property ExecMainCode: they
// are si_code of SIGCHLD, sigaction(2).
const (
	Exited = 1 // by itself, with a status
	Killed = 2 // by a signal
	Dumped = 3 // by a signal, and dumped core
)

// ExitStatus gives the name and the meaning of a status that systemd itself
// exits with when it cannot start a program: systemd.exec(5), "Process exit
// codes". It is "" for any other status.
func ExitStatus(status int) string {
	return map[int]string{
		200: "CHDIR (the working directory is missing or cannot be entered)",
		201: "NICE (the scheduling priority cannot be set)",
		203: "EXEC (the program is missing or cannot be executed)",
		206: "FDS (file descriptors cannot be set up)",
		208: "STDIN (standard input cannot be set up)",
		209: "STDOUT (standard output cannot be opened)",
		216: "GROUP (the group does not exist or cannot be taken)",
		217: "USER (the user does not exist or cannot be taken)",
		218: "CAPABILITIES (capabilities cannot be applied)",
		219: "CGROUP (the control group cannot be set up)",
		226: "NAMESPACE (the mount or other namespaces cannot be set up)",
		228: "SECCOMP (the system call filter cannot be applied)",
		233: "RUNTIME_DIRECTORY (a runtime directory cannot be set up)",
		238: "STATE_DIRECTORY (a state directory cannot be set up)",
	}[status]
}
