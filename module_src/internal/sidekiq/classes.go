// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import "strings"

// class says what is thought of a directive that a task sets.
type class string

// The classes. What is in none of them is written with a warning.
const (
	refused  class = "refused"  // cannot be set: see forbidden and optionFor
	judged   class = "judged"   // each value is looked at
	harmless class = "harmless" // no value gives the service's user another's rights
	unknown  class = ""
)

// classOf says what is thought of a directive, and why.
func classOf(section, name string) (class, string) {
	if why := forbidden(section, name); why != "" {
		return refused, why
	}
	if option := optionFor(section, name); option != "" {
		return refused, "the option " + option + " says it"
	}
	if why := judgedFor(section, name); why != "" {
		return judged, why
	}
	for _, h := range harmlessDirectives {
		if h.section == section && contains(strings.Fields(h.names), name) {
			return harmless, h.why
		}
	}
	return unknown, ""
}

// judgedFor says what could be done by a directive that is judged, or "".
func judgedFor(section, name string) string {
	switch {
	case section == "Install" && contains([]string{"WantedBy", "RequiredBy", "UpheldBy", "Alias"}, name):
		return "this program makes the links itself"
	case section != "Service":
		return ""
	case isCommand(name):
		return "a prefix makes root run the command"
	case isStream(name):
		return "root opens a file through links of the service's user"
	case name == "SupplementaryGroups" || name == "AmbientCapabilities":
		return "some of them are root's power"
	case ownDirectoriesIn(name) != "":
		return "root gives the directory, with what is in it, to the service's user"
	}
	return openingBy(name).why
}

// isCommand reports whether a directive of [Service] is a command.
func isCommand(name string) bool {
	return strings.HasPrefix(name, "Exec") && name != "ExecSearchPath" && name != "ExecPaths"
}

// isStream reports whether a directive says where a standard stream leads.
func isStream(name string) bool {
	return name == "StandardInput" || name == "StandardOutput" || name == "StandardError"
}

// harmlessGroup are directives of one section that are harmless for the same
// reason: systemd.unit(5), systemd.exec(5), systemd.service(5),
// systemd.resource-control(5), systemd.kill(5).
type harmlessGroup struct {
	section, why, names string
}

// harmlessDirectives are all directives that are harmless. Harmless means that
// no value makes root open, run or give away something that the service's user
// has put there. It does not mean that the service works with every value.
var harmlessDirectives = []harmlessGroup{
	{"Unit", "a text for people", "Description Documentation SourcePath"},
	{"Unit", "it orders, starts or stops units that root has installed", `
		Requires Requisite BindsTo BindTo Upholds Conflicts Before OnSuccess OnFailure PropagatesReloadTo PropagateReloadTo
		ReloadPropagatedFrom PropagateReloadFrom PropagatesStopTo StopPropagatedFrom PartOf RequiresOverridable RequisiteOverridable
		RequiresMountsFor WantsMountsFor OnSuccessJobMode OnFailureJobMode OnFailureIsolate`},
	{"Unit", "it shares what two services of root's choice have to themselves", "JoinsNamespaceOf"},
	{"Unit", "how the manager treats this unit", `
		StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate DefaultDependencies SurviveFinalKillSignal IgnoreOnIsolate
		IgnoreOnSnapshot JobTimeoutSec JobRunningTimeoutSec StartLimitIntervalSec StartLimitInterval StartLimitBurst CollectMode`},
	{"Unit", "it may stop or restart the host, which costs time and gives no right", `
		JobTimeoutAction JobTimeoutRebootArgument StartLimitAction FailureAction SuccessAction FailureActionExitStatus
		SuccessActionExitStatus RebootArgument`},
	{"Unit", "a condition, of which root learns yes or no", conditions("Condition") + conditions("Assert") + "ConditionFirmware"},
	{"Service", "systemd follows no unsafe link to it, and takes no process outside the service for the main one", "PIDFile"},
	{"Service", "when and how the service is started, stopped and restarted", `
		RestartSteps RestartMaxDelaySec RestartRandomizedDelaySec TimeoutAbortSec TimeoutStartFailureMode TimeoutStopFailureMode TimeoutCleanSec
		RuntimeMaxSec RuntimeRandomizedExtraSec StartLimitInterval StartLimitBurst ExitType RestartMode RemainAfterExit GuessMainPID
		RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus SysVStartPriority OOMPolicy ReloadSignal RefreshOnReload SendSIGKILL
		SendSIGHUP KillMode KillSignal RestartKillSignal FinalKillSignal WatchdogSignal IgnoreSIGPIPE`},
	{"Service", "it may stop or restart the host, which costs time and gives no right", "StartLimitAction FailureAction RebootArgument"},
	{"Service", "jobs may end their own service by it, and nothing else", "NotifyAccess"},
	{"Service", "what root has set up under that name is handed to the service", `
		BusName BusPolicy Sockets NonBlocking FileDescriptorStoreMax FileDescriptorStorePreserve LUOSession LogNamespace BindLogSockets PAMName
		UtmpIdentifier UtmpMode SELinuxContext AppArmorProfile SmackProcessLabel Slice NFTSet BindNetworkInterface CoredumpReceive
		ImportCredential PassEnvironment`},
	{"Service", "a value that the service gets as it stands", `
		SetCredential SetCredentialEncrypted StandardInputText StandardInputData UnsetEnvironment SetLoginEnvironment ExecSearchPath`},
	{"Service", "how its log is marked, filtered and limited", `
		SyslogIdentifier SyslogFacility SyslogLevel SyslogLevelPrefix LogLevelMax LogRateLimitIntervalSec LogRateLimitBurst LogExtraFields
		LogFilterPatterns`},
	{"Service", "how its terminal is set; TTYPath says which", "TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns"},
	{"Service", "how the directories that it gets are made; their names are judged", `
		RuntimeDirectoryPreserve RuntimeDirectoryMode StateDirectoryMode StateDirectoryAccounting StateDirectoryQuota CacheDirectoryMode
		CacheDirectoryAccounting CacheDirectoryQuota LogsDirectoryMode LogsDirectoryAccounting LogsDirectoryQuota ConfigurationDirectoryMode
		ConfigurationDirectory`},
	{"Service", "how an image is taken that is judged where it is named", `
		RootImageOptions RootImagePolicy RootHash RootEphemeral ExtensionImagePolicy MountImagePolicy`},
	{"Service", "it takes something away from the service", `
		SecureBits CapabilityBoundingSet NoNewPrivileges KeyringMode ProtectProc ProcSubset SystemCallFilter SystemCallArchitectures
		SystemCallErrorNumber SystemCallLog MemoryDenyWriteExecute RestrictNamespaces RestrictRealtime RestrictSUIDSGID RestrictAddressFamilies
		LockPersonality RestrictFileSystems ReadOnlyDirectories InaccessibleDirectories ReadOnlyPaths InaccessiblePaths NoExecPaths PrivateTmp
		PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups PrivateNetwork
		PrivateUsers PrivateMounts PrivateIPC PrivatePIDs ProtectSystem ProtectHome ProtectHostname MountFlags MountAPIVFS Personality
		RemoveIPC DeviceAllow DevicePolicy IPAddressAllow IPAddressDeny SocketBindAllow SocketBindDeny RestrictNetworkInterfaces`},
	{"Service", "it gives back what a protection took; owners and modes count as before", "ReadWriteDirectories ReadWritePaths ExecPaths"},
	{"Service", "it works inside a namespace of the service's own", `
		DelegateNamespaces PrivateBPF BPFDelegateCommands BPFDelegateMaps BPFDelegatePrograms BPFDelegateAttachments`},
	{"Service", "how the processor, memory and disk are shared", `
		Nice OOMScoreAdjust CoredumpFilter IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy CPUSchedulingPriority
		CPUSchedulingResetOnFork CPUAffinity NUMAPolicy NUMAMask TimerSlackNSec MemoryKSM MemoryTHP AllowedCPUs StartupAllowedCPUs
		AllowedMemoryNodes StartupAllowedMemoryNodes CPUSetPartition CPUWeight StartupCPUWeight CPUQuota CPUQuotaPeriodSec IOWeight
		StartupIOWeight IODeviceWeight IODeviceLatencyTargetSec CPUShares StartupCPUShares BlockIOWeight StartupBlockIOWeight
		BlockIODeviceWeight Delegate DelegateSubgroup DisableControllers NetClass`},
	{"Service", "a limit", `
		LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING
		LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME MemoryMin MemoryLow StartupMemoryLow MemoryHigh StartupMemoryHigh MemoryMax
		StartupMemoryMax MemorySwapMax StartupMemorySwapMax MemoryZSwapMax StartupMemoryZSwapMax MemoryZSwapWriteback MemoryLimit
		DefaultMemoryLow DefaultMemoryMin DefaultStartupMemoryLow IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax
		BlockIOReadBandwidth BlockIOWriteBandwidth TasksMax`},
	{"Service", "what is counted, and what happens when it grows too large", `
		CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting ManagedOOMSwap ManagedOOMMemoryPressure
		ManagedOOMMemoryPressureLimit ManagedOOMMemoryPressureLimitPercent ManagedOOMMemoryPressureDurationSec ManagedOOMPreference OOMRules
		MemoryPressureThresholdSec MemoryPressureWatch CPUPressureThresholdSec CPUPressureWatch IOPressureThresholdSec IOPressureWatch`},
}

// conditions are the conditions of systemd, with the prefix of those that are
// silent or of those that fail.
func conditions(prefix string) string {
	return prefix + strings.Join(strings.Fields(`
		PathExists PathExistsGlob PathIsDirectory PathIsSymbolicLink PathIsMountPoint PathIsReadWrite PathIsEncrypted PathIsSocket
		DirectoryNotEmpty FileNotEmpty FileIsExecutable NeedsUpdate FirstBoot Architecture Virtualization Host Fraction KernelCommandLine
		KernelVersion Version Credential Security Capability ACPower Memory CPUFeature CPUs Environment User Group ControlGroupController
		OSRelease MachineTag MemoryPressure CPUPressure IOPressure KernelModuleLoaded Null`), " "+prefix) + " "
}

// unjudged warns of directives that are in no class.
func (w *wanting) unjudged() {
	for _, d := range w.Directives {
		if c, _ := classOf(d.Section, d.Name); c == unknown && len(d.Values) > 0 {
			w.warn("directives: %s.%s is not known here and was written without being judged; see systemd's manual "+
				"whether it makes root open, run or give away something of %s's", d.Section, d.Name, w.User)
		}
	}
}

// oneMeaning refuses specifiers in what has to be judged, since what they stand
// for depends on the host. %% and the names of the unit are known.
func oneMeaning(s string) bool {
	for _, known := range []string{"%%", "%i", "%n"} {
		s = strings.ReplaceAll(s, known, "")
	}
	return !strings.Contains(s, "%")
}

// plain is what a judged text stands for: see oneMeaning.
func plain(s, unit string) string {
	_, instance, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	return strings.NewReplacer("%%", "%", "%i", instance, "%n", unit).Replace(s)
}
