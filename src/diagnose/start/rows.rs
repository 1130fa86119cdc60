//! Rows of the start family.

use crate::diagnose::row::rows;

rows! { "start";
COMMAND_NOT_FOUND "command-not-found" Rule:
    "the image does not have the command to run";
    "The runtime could not start the container because the program named by command, args or the image's \
     entrypoint is not in the image.";
    "terminated.reason StartError, exit code 128, and `exec: \"X\": executable file not found in $PATH` or \
     `exec: \"X\": stat X: no such file or directory` in its message.";
    "A mistyped command, an image that was rebuilt without the program, a whole shell line as one word.";
    "Puts back command and args of the last good revision when the image is unchanged. A changed image or a shell \
     line in one word is for a person to choose.".
COMMAND_NOT_EXECUTABLE "command-not-executable" Rule:
    "the command to run is not executable";
    "The program exists and the runtime may not execute it: it lacks the execute bit, or it is a folder.";
    "terminated.reason StartError, exit code 128, `exec: \"X\": permission denied`.";
    "A script that is mounted from a ConfigMap with mode 0644, a data file or folder as the command.";
    "Adds the execute bits to the mode of the ConfigMap volume that holds the script; for a Secret only to that item, \
     for review. Otherwise the command of the last good revision, or a person's choice.".
EXEC_FORMAT_ERROR "exec-format-error" Ask:
    "the command is no program for this node";
    "The kernel could not read the program: it is built for another processor, or it is a script without a first line \
     that names its interpreter.";
    "log or start error `exec X: exec format error`.";
    "An image for another architecture, a script without `#!`, an empty file.";
    "A person chooses: an image for the node's architecture, or a first line for the script.".
SCRIPT_CRLF "script-crlf" Rule:
    "a script from a ConfigMap names an interpreter that does not exist, mostly for its line ends";
    "The script is there and its first line names an interpreter that is not. With Windows line ends that name ends in a \
     carriage return.";
    "log `exec X: no such file or directory` with exit code 1, or `sh: X: not found`, where X is a file of a ConfigMap \
     volume; and whether its first line ends in a carriage return. The value itself is not kept.";
    "A script that was saved with Windows line ends, an interpreter that the image does not have.";
    "Takes the carriage returns from the line ends of that very key, for review, where its first line was seen to end \
     in one. Otherwise it needs judgement: name an interpreter that the image has.".
MOUNT_TYPE_MISMATCH "mount-type-mismatch" Rule:
    "a file is mounted onto a folder, or a folder onto a file";
    "The runtime could not mount a volume because its mountPath is of the other kind in the image.";
    "terminated.reason StartError with `error mounting \"SRC\" to rootfs at \"DST\": ... not a directory`.";
    "A volume without subPath at the path of a file, a subPath at the path of a folder.";
    "Adds the subPath when the last part of mountPath is a key of the volume, or the key to mountPath, for review.".
HOSTPATH_TYPE_MISMATCH "hostpath-type-mismatch" Ask:
    "a hostPath is not of the wanted type on the node";
    "The volume wants a folder, file or socket of the node that is not there or is of another type.";
    "event FailedMount `hostPath type check failed: P is not a directory`.";
    "A node without that software, a path that differs between nodes.";
    "A person chooses: make the path on the node what its type says, correct the type, or select nodes that \
     have it. A path of the node is never edited.".
RUN_AS_NON_ROOT "run-as-non-root" Rule:
    "the pod must not run as root and its image does";
    "runAsNonRoot is true, no runAsUser is set, and the image's user is root: the kubelet does not create the container.";
    "state.waiting.reason CreateContainerConfigError `container has runAsNonRoot and image will run as root`.";
    "An image without USER, a runAsUser that was removed, a policy that was added.";
    "Puts back runAsUser of the last good revision. Otherwise a person names a user ID. runAsNonRoot stays.".
RUN_AS_ROOT_REFUSED "run-as-root-refused" Rule:
    "the pod asks for user 0 and for not being root";
    "runAsNonRoot is true and runAsUser is 0: the two contradict each other.";
    "state.waiting.reason CreateContainerConfigError `container's runAsUser breaks non-root policy`.";
    "Settings of pod and container that were merged, a default of a chart.";
    "Puts back runAsUser of the last good revision. Otherwise a person names a user ID.".
RUN_AS_USER_NAME "run-as-user-name" Ask:
    "the image names its user by name, which cannot be checked for root";
    "runAsNonRoot is true and the image's USER is a name: the kubelet does not know its number.";
    "state.waiting.reason CreateContainerConfigError `image has non-numeric user (U), cannot verify user is non-root`.";
    "An image with `USER app` in place of a number.";
    "A person sets runAsUser to the user's number. Those that ready pods with an image of the same repository \
     run as are listed.".
RUN_AS_USER_UNKNOWN "run-as-user-unknown" Rule:
    "the user to run as is not in the image";
    "The runtime looked for the user's name in the image's passwd file and did not find it.";
    "start error `unable to find user U: no matching entries in passwd file`.";
    "An image whose USER was never added, another base image.";
    "Puts back the image or user of the last good revision. Otherwise a person names a user ID.".
WORKING_DIR_INVALID "working-dir-invalid" Rule:
    "the working folder cannot be used";
    "The runtime could not make or enter workingDir: a part of its path is a file, or the user may not enter it.";
    "terminated.reason StartError with `mkdir X: not a directory` or `chdir to cwd (\"X\")`.";
    "A mistyped path, a file where a folder is meant, a folder of another user.";
    "Puts back workingDir of the last good revision. Otherwise a person chooses.".
POST_START_HOOK_FAILED "post-start-hook-failed" Rule:
    "the postStart hook fails, and the container is killed for it";
    "The hook that runs after the start ended with an error, so the kubelet killed the container. Its output is nowhere.";
    "event FailedPostStartHook and Killing `FailedPostStartHook`; terminated with exit code 137, reason Error.";
    "A command that the image does not have, a hook that runs before the program is up.";
    "Puts back lifecycle.postStart of the last good revision. Otherwise it needs judgement.".
PRE_STOP_HOOK_FAILED "pre-stop-hook-failed" Model:
    "the preStop hook failed when a pod was stopped";
    "The hook that should let a pod end cleanly ended with an error. The pod ended all the same.";
    "event FailedPreStopHook on the pod, with the hook's error.";
    "A command that the image does not have, a drain that fails.";
    "Needs judgement: stops may be slow or unclean.".
INIT_CONTAINER_STUCK "init-container-stuck" Rule:
    "an init container waits for something";
    "An init container runs for long and has not ended, so the main containers do not start. Its log or command names \
     what it waits for.";
    "an init container that runs for over two minutes without a restart; a host and port in its args, env or log.";
    "A dependency that is not up, a name that does not exist, two workloads that wait for each other.";
    "Sets the one close Service where the host stands literally, for review. Otherwise the dependency is what to fix.".
SECCOMP_PROFILE_MISSING "seccomp-profile-missing" Ask:
    "the node does not have the seccomp profile";
    "The pod names a seccomp profile that is not on the node, so the container is not created.";
    "state.waiting.reason CreateContainerError `cannot load seccomp profile \"P\": ... no such file or directory`.";
    "A profile that was not copied to the nodes, a mistyped localhostProfile.";
    "A person chooses: put the profile on the nodes, or RuntimeDefault.".
APPARMOR_REFUSED "apparmor-refused" Ask:
    "the node cannot enforce the pod's AppArmor profile";
    "The kubelet rejected the pod because AppArmor or the named profile is not on the node. The controller makes pod \
     after pod.";
    "pod phase Failed, reason AppArmor, `Cannot enforce AppArmor`.";
    "Nodes without AppArmor, a profile that was not loaded.";
    "A person chooses: load the profile, or select nodes that have it.".
SYSCTL_FORBIDDEN "sysctl-forbidden" Rule:
    "the node does not allow a sysctl that the pod sets";
    "The kubelet rejected the pod because it sets an unsafe sysctl. The controller makes pod after pod.";
    "pod phase Failed, reason SysctlForbidden, `forbidden sysctl: \"X\" not allowlisted`.";
    "A sysctl that is not namespaced or not on the node's list.";
    "Puts back the sysctls of the last good revision. Otherwise a person chooses: drop it, or allow it on the node.".
NODE_REJECTED "node-rejected" None:
    "a node rejected the pod that the scheduler gave it";
    "Between scheduling and start the node changed, or two pods raced: the kubelet found that the pod does not fit.";
    "pod phase Failed with reason NodeAffinity, OutOfcpu, OutOfmemory, OutOfpods, UnexpectedAdmissionError and the like.";
    "A label that changed, static pods, a scheduler that does not see all pods, a node that restarted.";
    "Nothing as long as its replacement runs. When it repeats, the node is what to look at.".
SANDBOX_NETWORK "sandbox-network" None:
    "the node cannot set up the network of a pod";
    "The network plugin of the node failed, so no container of the pod is started. All new pods of the node are hit.";
    "event FailedCreatePodSandBox with `plugin type=\"P\" failed`, `failed to allocate for range` or NetworkNotReady.";
    "A network plugin that is down, no free addresses in the node's range.";
    "Nothing in this workload: the network plugin of the node.".
SANDBOX_OOM "sandbox-oom" Rule:
    "the memory limit is below what the runtime itself needs";
    "The container's first process was killed before the program began: the limit is tiny, mostly a slip of the unit.";
    "event FailedCreatePodSandBox `container init was OOM-killed (memory limit too low?)`, or FailedMount of the token \
     volume with `no space left on device`.";
    "`128m`, which is an eighth of a byte, or `300Ki` where Mi was meant.";
    "Sets the same number with Mi when that is plausible, else the last good revision's limit, for review.".
RUNTIME_HANDLER_MISSING "runtime-handler-missing" Ask:
    "the node does not have the runtime that the pod's RuntimeClass names";
    "The RuntimeClass exists and its handler is not configured in the node's container runtime.";
    "event FailedCreatePodSandBox `no runtime for \"H\" is configured`.";
    "A node pool without that runtime, a handler with another name.";
    "A person chooses: install the runtime on the nodes, select nodes that have it, or name another \
     runtimeClassName; another isolation is never chosen by a tool.".
CONTAINER_CREATE_TIMEOUT "container-create-timeout" None:
    "the node's runtime does not create the container in time";
    "The runtime answers too late, or holds the name of a container that it did not finish.";
    "state.waiting.reason CreateContainerError with `context deadline exceeded` or `failed to reserve container name`.";
    "A node under load, a slow disk, a runtime that hangs.";
    "Nothing in Git: the node. The kubelet tries again by itself.".
DEVICE_MISSING "device-missing" None:
    "the node cannot give the pod a device that it asks for";
    "The device plugin of the node failed or has fewer devices than the scheduler thought.";
    "pod phase Failed, reason UnexpectedAdmissionError, `Allocate failed due to ...`.";
    "A device plugin that restarted, a broken device, devices that are not healthy.";
    "Nothing in Git: the device plugin of the node.".
SA_TOKEN_MISSING "sa-token-missing" Ask:
    "the program wants the API and has no ServiceAccount token";
    "automountServiceAccountToken is false for the pod or its ServiceAccount, and the program looks for the token.";
    "log `no such file` with /var/run/secrets/kubernetes.io/serviceaccount/token.";
    "A hardening that also hit a workload that talks to the API.";
    "It is a protection, so it is never taken away by rule: the value of the last good revision is shown.".
CONTAINER_WAITING_LONG "container-waiting-long" Model:
    "a container waits for a reason without a code of its own";
    "A container has waited for over ten minutes and gives a reason that the catalogue does not know.";
    "state.waiting.reason and message.";
    "Anything: a runtime, a node, a newer kubelet.";
    "Needs judgement: nothing is changed by rule.".
}
