//! Rows of the probe family.

use crate::diagnose::row::rows;

rows! { "probe";
PROBE_PORT_MISMATCH "probe-port-mismatch" Rule:
    "a probe asks a port that no container declares, and nobody answers";
    "The kubelet's connection to the probe's port is refused, and no container of the pod declares that port. \
     A readiness or startup probe keeps the pod from becoming ready, a liveness probe has it killed again and \
     again.";
    "Unhealthy events `connect: connection refused` (grpc: `failed to connect service`) on a port that is not \
     among the containerPorts, while the container runs long enough or was killed by the probe.";
    "A port that was changed in the program and not in the probe, a copied manifest, a management port that is \
     switched off.";
    "Sets the probe to the only declared TCP port of the container when a Service, another probe or the last good \
     revision uses it too. A liveness probe is always for a person to review. A port that the container's settings \
     name, or a probe that worked before, is left alone.".
PROBE_APP_NOT_LISTENING "probe-app-not-listening" Rule:
    "a probe asks the declared port, and the program does not listen there";
    "The port is declared and the connection to it is refused for longer than a start may take: the program listens on \
     another port, or not at all.";
    "Unhealthy events `connection refused` on a declared port; a line such as `listening on :Q` in the log.";
    "A port that is set by a variable, a program that waits for something before it listens.";
    "Sets the probe to the port that the log names when that one is declared, for review. Otherwise it needs judgement.".
PROBE_NAMED_PORT_MISSING "probe-named-port-missing" Rule:
    "a probe names a port that the container does not have";
    "The probe's port is a name, and no port of the container has it: the probe cannot run. A readiness probe then never \
     succeeds, a liveness probe never protects.";
    "Unhealthy events `probe errored ... strconv.Atoi: parsing \"NAME\": invalid syntax`.";
    "A mistyped name, a port that was renamed, a port of another container.";
    "Sets the one close name, or for review the only declared port.".
PROBE_PATH_MISSING "probe-path-missing" Rule:
    "a probe asks for a path that the program does not serve";
    "The program answers the probe with 404, 405 or 410.";
    "Unhealthy events `HTTP probe failed with statuscode: 404`.";
    "A path of another framework, a path prefix that changed, a health endpoint that is switched off.";
    "Puts back the path of the last good revision, or for review that of another probe of the container that passes. A \
     path is never guessed.".
PROBE_AUTH_REQUIRED "probe-auth-required" Ask:
    "a probe is asked for credentials";
    "The program answers the probe with 401 or 403: the path is protected.";
    "Unhealthy events `HTTP probe failed with statuscode: 401` or 403.";
    "A health path behind the same login as all others, a host header that the program checks.";
    "A person chooses: another path, or headers of the probe.".
PROBE_SERVER_ERROR "probe-server-error" Model:
    "the program answers a probe with an error of its own";
    "The program is up and says that it is not well: a 5xx status, mostly for a dependency. A liveness probe on a \
     dependency restarts a program that is not at fault.";
    "Unhealthy events `HTTP probe failed with statuscode: 500` to 599.";
    "A database that is down, a start that is not complete, a bug in the health check.";
    "Needs judgement: the program's log and its dependencies.".
PROBE_REDIRECT_OFF_HOST "probe-redirect-off-host" None:
    "a probe is redirected to another host, and passes";
    "The kubelet does not follow a redirect to another host and counts it as success, whatever is there.";
    "event ProbeWarning `Probe terminated redirects`.";
    "A redirect to a login page or to https with another name.";
    "Nothing fails. A path that answers by itself would be a better probe.".
PROBE_SCHEME_MISMATCH "probe-scheme-mismatch" Rule:
    "a probe speaks https where the program speaks http, or the other way round";
    "The kubelet and the program do not speak the same protocol on the probe's port.";
    "Unhealthy events `server gave HTTP response to HTTPS client` or `malformed HTTP response \"\\x15\\x03`.";
    "TLS that moved into a sidecar or a mesh, a copied probe, a program that lost its certificate.";
    "Sets the scheme that the program speaks, unless https was ever ready here. Towards https it is for review.".
PROBE_TIMEOUT "probe-timeout" Rule:
    "a probe gets no answer in time";
    "The program accepts the connection, or the command starts, and there is no result within timeoutSeconds.";
    "Unhealthy events `context deadline exceeded (Client.Timeout exceeded...)` or `command timed out`.";
    "A default of one second with a slow check, a cpu limit that is too small, a program that hangs.";
    "Raises a timeout of one second, never above the period, when the same probe was ready before, for review. Otherwise \
     it needs judgement.".
PROBE_EXEC_FAILED "probe-exec-failed" Model:
    "the command of a probe says no";
    "The command of the probe ran and ended with an error: the program is not well, or the check is wrong.";
    "Unhealthy events `probe failed: OUTPUT` of an exec probe.";
    "A program that is not up yet, a check with a wrong argument.";
    "Needs judgement: the output of the command and the program's log.".
PROBE_EXEC_COMMAND_MISSING "probe-exec-command-missing" Rule:
    "the command of a probe is not in the image";
    "The probe cannot run, and a probe that cannot run does not count: a liveness probe is silently off, a readiness or \
     startup probe never succeeds.";
    "Unhealthy events `probe errored and resulted in unknown state: ... exec: \"X\": ... no such file or directory`.";
    "An image without a shell or curl, a mistyped path.";
    "Puts back the command of the last good revision. Otherwise a person chooses a probe that the image can run.".
PROBE_KILLS_SLOW_START "probe-kills-slow-start" Rule:
    "a liveness probe kills the container before it has started";
    "The program does not listen yet when the liveness probe gives up, in every life. There is no startup probe that \
     would give it time.";
    "Killing `failed liveness probe` and `connection refused` on a declared port; every run ends within what the probe \
     allows; no error in the log.";
    "A start that takes longer than before, a delay or threshold that was lowered, a small cpu limit.";
    "Adds a startup probe with the handler of the liveness probe and enough time, at most ten minutes, for review.".
PROBE_STARTUP_TOO_SHORT "probe-startup-too-short" Rule:
    "the startup probe gives up before the container has started";
    "The program does not listen yet when the startup probe has used up its tries, in every life.";
    "Killing `failed startup probe` and `connection refused` on a declared port; no error in the log.";
    "A start that takes longer than before, a threshold that was lowered, a small cpu limit.";
    "Raises failureThreshold threefold, at most to ten minutes in all, for review; or puts back that of the last good \
     revision.".
PROBE_READINESS_FLAPPING "probe-readiness-flapping" Model:
    "a pod goes in and out of readiness";
    "A pod that has long been up fails its readiness probe again and again without being restarted, mostly under load.";
    "Unhealthy events of a running container; Ready changed within five minutes; no restarts; a pod older than half an \
     hour.";
    "Load, garbage collection, a slow dependency, a tight timeout.";
    "Needs judgement: nothing is changed by rule.".
PROBE_GRPC_UNIMPLEMENTED "probe-grpc-unimplemented" Ask:
    "a grpc probe asks a server without a health service";
    "The server speaks grpc and does not implement grpc.health.v1.Health.";
    "Unhealthy events `this server does not implement the grpc health protocol`.";
    "A library whose health service was not registered, another server on the port.";
    "A person chooses: register the health service, or another kind of probe.".
PROBE_GRPC_NOT_SERVING "probe-grpc-not-serving" Model:
    "a grpc server says that it is not serving";
    "The health service of the program answers, and says NOT_SERVING.";
    "Unhealthy events `service unhealthy (responded with \"NOT_SERVING\")`.";
    "A dependency that is down, a service name that the server does not know.";
    "Needs judgement: the program's log and its dependencies.".
READINESS_GATE_UNSET "readiness-gate-unset" Rule:
    "a readiness gate of the pod is not set";
    "All containers are ready and the pod is not: a condition that another controller should set is missing or false.";
    "condition Ready=False, reason ReadinessGatesNotReady, with ContainersReady=True.";
    "A controller of a load balancer or mesh that is not installed, or does not see the pod.";
    "Removes a gate that the last good revision did not have. Otherwise the controller that sets it is what to look at.".
PROBE_MISSING "probe-missing" Ask:
    "a Service has no readiness probe behind it and refuses connections";
    "Another workload's connections are refused although the pods count as ready: without a readiness probe they do so \
     from their first moment.";
    "a log with `connection refused` to a Service whose pods are ready and have no readinessProbe.";
    "A program that needs time to listen, a probe that was left out.";
    "A person adds a readiness probe that knows the program. To choose from: whether the port that callers use \
     answers, and what the liveness probe asks there.".
}
