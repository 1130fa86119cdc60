//! Rows of the crash family.

use crate::diagnose::row::rows;

rows! { "crash";
OOM_KILLED "oom-killed" Rule:
    "a container is killed at its memory limit";
    "The kernel killed a process of the container because the container reached its memory limit, and the \
     container ended. It is started again and will be killed again.";
    "state.terminated or lastState.terminated with reason OOMKilled and an exit code other than 0. The exit \
     code is 137, or the parent's own when a child was killed. 137 alone is no proof of it.";
    "A limit below what the program needs, a leak, a load peak, a heap setting that does not know the limit.";
    "Raises limits.memory: to that of the last good revision, else double below 1Gi and by half above it, capped by \
     node, quota and LimitRange. The limit is never removed. A leak, a single kill or a heap error is for a person.".
OOM_CHILD_KILLED "oom-child-killed" Model:
    "a child process seems to be killed for memory while the container runs on";
    "The log repeats that a worker was killed by signal 9, and nothing in status or events tells of it: with cgroup v1 \
     only the child dies. It is a possible cause, not a failure.";
    "log lines `Killed`, `signal: 9` or `exit 137` of workers, in a container that is ready and never restarted.";
    "Too many workers for the memory limit, one large request.";
    "Needs judgement: fewer workers or a higher limit.".
OOM_INIT "oom-init" Rule:
    "an init container is killed at its memory limit";
    "The kernel killed an init container because it reached its memory limit, so the main containers never start.";
    "state.terminated or lastState.terminated of an init container with reason OOMKilled and an exit code other than 0.";
    "A migration or an unpacking step that needs more memory than the service itself.";
    "Raises limits.memory of the init container as for oom-killed.".
OOM_RUNTIME_HEAP "oom-runtime-heap" Model:
    "the runtime ran out of its own heap";
    "The language runtime gave up because its heap was full or could not be reserved. The kernel killed nothing: a \
     higher memory limit alone does not help a fixed heap.";
    "log `java.lang.OutOfMemoryError`, `JavaScript heap out of memory`, `Could not reserve enough space`; exit 1, 3 or 134.";
    "A heap flag that is too small or above the limit, a leak, a large request.";
    "Needs judgement: the heap flag and limits.memory belong together.".
OOM_NODE "oom-node" None:
    "a process was killed because the node ran out of memory";
    "The node itself had no memory left and its kernel chose a victim; the container's own limit was not reached.";
    "event SystemOOM on the Node, and a container that ended with 137 without a kill at its limit.";
    "Pods without requests or limits, a node that is overcommitted, a daemon outside Kubernetes.";
    "Nothing in this workload decides it: requests and limits of what runs on the node.".
CRASH_EXITS_ZERO "crash-exits-zero" Rule:
    "a program that should serve ends by itself, without an error";
    "The container ends with exit code 0 and is started again, because its controller wants it to run for ever.";
    "terminated.reason Completed with exit code 0 in a crash loop, and no probe that killed it.";
    "A job that runs as a Deployment, a program that goes into the background, a shell that has nothing more to do.";
    "Puts back command and args of the last good revision. Otherwise a person chooses: a Job, or a program that stays in \
     the foreground. A sleep is never added.".
CRASH_ENV_MISSING "crash-env-missing" Rule:
    "the program wants a variable that is not set";
    "The program ended and its log names an environment variable or property that the container does not have.";
    "log such as `X must be set`, `KeyError: 'X'`, `X: parameter not set`, where X is neither in env nor in a known envFrom.";
    "A variable that was removed or renamed, a ConfigMap without the key, a new version that needs one more.";
    "Restores the entry of the last good revision, or adds the variable under its name with the value of the one close \
     variable, for review. A value is never invented.".
CRASH_CONFIG_PARSE "crash-config-parse" Model:
    "the program cannot parse its configuration";
    "The program ended and its log tells a syntax error in a configuration file.";
    "log such as `yaml: line N`, `json: cannot unmarshal`, `nginx: [emerg] ... in FILE:N`.";
    "Wrong indentation, a missing quote, a template that rendered to nothing, an option that the version does not know.";
    "It needs judgement: what the file should say is not known. `aifix propose KIND/NAME --revert` takes back the \
     commit that changed the ConfigMap of the file.".
CRASH_FILE_MISSING "crash-file-missing" Rule:
    "the program does not find a file";
    "The program ended and its log names a path that does not exist in the container.";
    "log `No such file or directory`, `ENOENT`, `FileNotFoundException` with a path.";
    "A key with another extension, a mount that was removed or hides the image's folder, a working folder that changed.";
    "Corrects items or subPath when the path lies in a ConfigMap mount that has one close key, for review. Otherwise it \
     needs judgement.".
CRASH_BAD_ARGS "crash-bad-args" Rule:
    "the program does not accept its arguments";
    "The program ended and its log complains of a flag or its value.";
    "log `unknown flag`, `unrecognized option`, `flag provided but not defined`, `invalid value for --X`.";
    "A mistyped flag, a flag that a new version dropped, a value of another type.";
    "Puts back args of the last good revision when the image is the same. Otherwise a person chooses.".
CRASH_PERMISSION_DENIED "crash-permission-denied" Rule:
    "the program may not use a path";
    "The program ended and its log names a path that its user may not read, write or create.";
    "log `Permission denied`, `EACCES` or `Operation not permitted` with a path.";
    "A volume that belongs to root while the program does not run as root, a folder of the image, a missing capability.";
    "Adds fsGroup when the path lies in a writable volume of this workload alone and runAsUser is set, for review. Never \
     a user 0, never a capability.".
CRASH_READ_ONLY_FS "crash-read-only-fs" Rule:
    "the program writes to a read-only file system";
    "The program ended because it wrote to a path that is mounted read-only, mostly the image's own file system.";
    "log `Read-only file system` or `EROFS`, with readOnlyRootFilesystem true or a read-only mount.";
    "A hardened security context with a program that wants /tmp or a pid file.";
    "Mounts a small emptyDir at the folder when it is one of /tmp, /run, /var/run, /var/tmp, /var/cache, /var/log, for \
     review. readOnlyRootFilesystem stays.".
CRASH_PORT_IN_USE "crash-port-in-use" Rule:
    "the program's port is taken";
    "The program ended because another process of the pod, or of the node with hostNetwork, listens on its port.";
    "log `Address already in use` or `EADDRINUSE`.";
    "Two containers of a pod with the same port, hostNetwork, a sidecar that was added.";
    "Puts back the last good revision's field. Otherwise it needs judgement.".
CRASH_PORT_PRIVILEGED "crash-port-privileged" Ask:
    "the program may not listen on a port below 1024";
    "Ports below 1024 need root or the capability NET_BIND_SERVICE, and the container has neither.";
    "log `bind: permission denied` for a port below 1024, with a user that is not root or dropped capabilities.";
    "A container that no longer runs as root, capabilities dropped by a policy.";
    "A person chooses: a higher port with the Service's targetPort and the probes, or the sysctl \
     net.ipv4.ip_unprivileged_port_start=0. Root is never added.".
CRASH_DEPENDENCY_REFUSED "crash-dependency-refused" Rule:
    "a dependency refuses the connection";
    "The program ended because nothing listens where it connects to. Where that is a Service of the cluster without \
     ready pods, its own fault is the root.";
    "log `connection refused` with host and port.";
    "A dependency that is down, a wrong port, a Service without that port.";
    "Sets the only port of the Service where host and port stand literally in one value, for review. Otherwise the \
     dependency is what to fix.".
CRASH_DNS "crash-dns" Rule:
    "the name of a dependency is not found";
    "The program ended because a host name has no address, or because the cluster's DNS does not answer.";
    "log `no such host`, `NXDOMAIN`, `Name or service not known`, `EAI_AGAIN`.";
    "A mistyped Service, another namespace, a Service that was deleted, a DNS outage.";
    "Sets the one close Service of that namespace where the host stands literally in one value, for review. External \
     names are for a person.".
CRASH_DEPENDENCY_TIMEOUT "crash-dependency-timeout" Model:
    "a dependency does not answer in time";
    "The program ended because a connection got no answer: packets are dropped on the way, or the other side hangs.";
    "log `i/o timeout`, `ETIMEDOUT`, `no route to host` with host and port.";
    "A NetworkPolicy, a firewall, a dependency that is overloaded.";
    "Needs judgement: the policies that select either side and the dependency's own state are shown.".
CRASH_DB_AUTH "crash-db-auth" None:
    "a database does not accept the credentials";
    "The program reached its database and was refused: the user, the password or a right is wrong.";
    "log `password authentication failed for user`, `Access denied for user`, `WRONGPASS`, `Authentication failed`.";
    "A rotated password, a database made with another password, a user that does not exist.";
    "Credentials are never edited: correct the Secret where it comes from, or the user in the database.".
CRASH_TLS "crash-tls" Model:
    "the TLS connection to a dependency fails";
    "The program ended because a certificate is expired, of an unknown authority or of another name, or because the \
     other side speaks no TLS.";
    "log `x509: ...`, `self-signed certificate`, `PKIX path building failed`, `wrong version number`.";
    "A certificate that was not renewed, an authority that is not mounted, https where the server speaks http.";
    "Needs judgement: the certificate, the mounted authority and the host name in the settings.".
CRASH_RBAC_FORBIDDEN "crash-rbac-forbidden" Ask:
    "the API server forbids the pod's ServiceAccount what the program needs";
    "The program ended because its ServiceAccount may not do what it asks the API for.";
    "log `is forbidden: User \"system:serviceaccount:NS:SA\" cannot VERB resource \"R\"`.";
    "A Role without the verb, a RoleBinding to a Role that does not exist, another serviceAccountName.";
    "Rights are never added by rule. A person may choose the one verb on the one resource in the one Role that \
     is bound to the account, or the ServiceAccount of the last good revision.".
CRASH_MISSING_LIBRARY "crash-missing-library" Rule:
    "the image lacks a shared library";
    "The dynamic loader could not start the program: a library, or a symbol of the C library, is not in the image.";
    "log `error while loading shared libraries: L`, `Error loading shared library L`, `GLIBC_x not found`.";
    "A program built for another base image, a slim image without the package.";
    "Puts back the image of the last good revision. Otherwise the image must be built again.".
CRASH_MISSING_MODULE "crash-missing-module" Rule:
    "the image lacks a module of the program";
    "The program ended because the interpreter or class loader does not find one of its modules.";
    "log `ModuleNotFoundError`, `Cannot find module`, `ClassNotFoundException`, `could not load gem`.";
    "A build that did not install dependencies, a wrong workingDir or command, a mount that hides the folder.";
    "Puts back the image of the last good revision. Otherwise the image must be built again.".
CRASH_EXIT_126 "crash-exit-126" Ask:
    "a shell in the container may not execute the command";
    "A shell found the program and could not execute it: no execute permission, or no program.";
    "exit code 126 with reason Error; log `sh: X: Permission denied`.";
    "A script of a ConfigMap without the execute bit, a file of another architecture.";
    "As for command-not-executable: the mode of the ConfigMap volume, or a person's choice.".
CRASH_EXIT_127 "crash-exit-127" Rule:
    "a shell in the container does not find the command";
    "A shell ran and the command that it was told to run is not in the image.";
    "exit code 127 with reason Error; log `sh: X: not found`.";
    "A mistyped command, an image without the tool, another base image.";
    "Puts back command and args of the last good revision when the image is unchanged. Otherwise a person chooses.".
CRASH_EXIT_137 "crash-exit-137" Model:
    "the program was killed, and it is not known by whom";
    "The container ended by signal 9. It was not the memory limit of the container (the reason would be OOMKilled), and \
     no event names a probe or a deletion.";
    "exit code 137 with reason Error and no Killing event.";
    "A kill -9 inside the container, a child that was killed and whose code was passed on, a lost event.";
    "Needs judgement: the memory limit is not raised, nothing shows that it was reached.".
CRASH_EXIT_143 "crash-exit-143" Model:
    "the program was asked to end, and it is not known by whom";
    "The container ended by signal 15. No event names a probe or a deletion, so something inside sent it.";
    "exit code 143 with reason Error and no Killing event.";
    "A supervisor or script in the container that ends its children, a timeout command.";
    "Needs judgement: what in the container sends the signal.".
CRASH_SEGFAULT "crash-segfault" Rule:
    "the program ends with a segmentation fault";
    "The program accessed memory that is not its own and was ended by the kernel.";
    "exit code 139 with reason Error; log `Segmentation fault`.";
    "A bug in native code, a library of another build, a stack that is too small.";
    "Puts back the image of the last good revision. Otherwise it needs judgement.".
CRASH_ABORT "crash-abort" Rule:
    "the program aborts itself";
    "The program or its runtime called abort: an assertion, a broken heap, an exception that nobody caught.";
    "exit code 134 with reason Error; log `Aborted`.";
    "A bug, a failed assertion, a runtime that ran out of memory.";
    "Puts back the image of the last good revision. Otherwise it needs judgement.".
CRASH_ILLEGAL_INSTRUCTION "crash-illegal-instruction" Rule:
    "the program uses an instruction that the node's processor does not have";
    "The program was built for a newer processor than that of the node, or for another one.";
    "exit code 132 with reason Error; log `Illegal instruction` or `requires a CPU with AVX`.";
    "An image built with -march=native or for x86-64-v3, an older node, an emulator.";
    "Puts back the image of the last good revision. Otherwise it needs judgement: a build for this processor, or other \
     nodes.".
CRASH_DISK_FULL "crash-disk-full" Rule:
    "the program has no space left on a volume";
    "The program ended because the file system of a path is full.";
    "log `No space left on device` or `ENOSPC` with a path.";
    "An emptyDir in memory with a small sizeLimit, a volume that filled up, the node's disk.";
    "Doubles sizeLimit of an emptyDir in memory while it stays below half of the memory limit, for review. A claim that \
     may grow is for a person; the node's disk is not in Git.".
CRASH_TOO_MANY_FILES "crash-too-many-files" Model:
    "the program has too many files open, or watches too many";
    "The program ended because it reached a limit on open files, or the node's limit on inotify watches.";
    "log `too many open files`, `EMFILE`, `System limit for number of file watchers`.";
    "A leak of connections, a low ulimit of the runtime, many watchers on one node.";
    "Needs judgement: the leak, or a setting of the node.".
CRASH_MIGRATION "crash-migration" Model:
    "a database migration fails";
    "The program ended because the schema of its database is not what it expects: a relation is there or is not, or a \
     migration was left half done.";
    "log `relation \"X\" already exists`, `database \"X\" does not exist`, `Dirty database version N`, a checksum of a \
     migration.";
    "A migration that ran twice or broke off, a database that was not made, two versions at once.";
    "Needs judgement: nothing in the manifests decides the state of a database.".
CRASH_LICENSE "crash-license" None:
    "the program's license is not valid";
    "The program ended because its license has expired or is not accepted.";
    "log `license expired` or `invalid license`.";
    "A license that ran out, a Secret with an old one.";
    "Nothing here decides it: a new license, where the Secret comes from.".
CRASH_QUOTA_UPSTREAM "crash-quota-upstream" None:
    "an external service refuses the program";
    "The program ended because an API outside the cluster answered 401, 403 or 429, or does not know its credentials.";
    "log of such a status with an address, `AccessDenied`, `ExpiredToken`, `NoSuchBucket`.";
    "An expired key, a right that is missing, a quota that is used up.";
    "Nothing in the manifests decides it: the account at that service.".
CRASH_APP_ERROR "crash-app-error" Rule:
    "the program ends with an error of its own";
    "The container ends by itself with an exit code other than 0, and nothing else that is known explains it: \
     no memory kill, no probe, no signal.";
    "terminated.reason Error in a crash loop or a failed pod, with the last error line of its log.";
    "A bug, a wrong setting, a dependency that does not answer, a migration that failed.";
    "When the last good revision differs in a single field, that field is put back, for a person to review. \
     Otherwise it needs judgement: the exit code, the log and what changed are shown.".
}
