//! Rows of the eviction family.

use crate::diagnose::row::rows;

rows! { "eviction";
EVICTED_EPHEMERAL_LIMIT "evicted-ephemeral-limit" Rule:
    "pods are evicted for writing more to the node's disk than they may";
    "The writable layers, logs and emptyDirs of a pod grew above its limit of ephemeral-storage, so the kubelet ended it. \
     Its controller makes another, which fills up again.";
    "pod phase Failed, reason Evicted, `Pod ephemeral local storage usage exceeds the total limit of containers L` or \
     `Container C exceeded its local ephemeral storage limit \"L\"`.";
    "Logs or temporary files that nobody removes, a limit below what the program writes.";
    "After two evictions of one revision: doubles the limit, at most to 10Gi, for review. A single one is history.".
EVICTED_EMPTYDIR_LIMIT "evicted-emptydir-limit" Rule:
    "pods are evicted for filling an emptyDir";
    "An emptyDir volume grew above its sizeLimit, so the kubelet ended the pod.";
    "pod phase Failed, reason Evicted, `Usage of EmptyDir volume \"V\" exceeds the limit \"L\"`.";
    "A cache without bounds, a sizeLimit below what the program writes.";
    "After two evictions of one revision: doubles sizeLimit, at most to 10Gi, for review. A single one is history.".
EVICTED_NODE_PRESSURE "evicted-node-pressure" Rule:
    "pods are evicted because their node runs short of a resource";
    "The node was low on memory, disk or process IDs and the kubelet ended pods that use more than they requested.";
    "pod phase Failed, reason Evicted, `The node was low on resource: R`; condition DisruptionTarget, reason \
     TerminationByKubelet.";
    "Requests far below what is used, a full disk, other pods on the node.";
    "Sets requests.memory to what was used when that was far above the request, for review. Otherwise the node is what \
     to look at.".
EVICTED_NODE_CONDITION "evicted-node-condition" None:
    "a node under pressure does not admit the pod";
    "The node reports pressure and the kubelet rejected a pod that the scheduler gave it.";
    "pod phase Failed, reason Evicted, `The node had condition: [C]`.";
    "Memory, disk or process IDs of the node that run out.";
    "Nothing in this workload: the node.".
EVICTED_TAINT "evicted-taint" None:
    "pods are evicted by a taint of their node";
    "A NoExecute taint that the pods do not tolerate was put on their node.";
    "condition DisruptionTarget, reason DeletionByTaintManager; event TaintManagerEviction.";
    "A node that is not ready or not reachable, maintenance.";
    "Nothing in this workload: the node.".
EVICTED_STATUS_UNKNOWN "evicted-status-unknown" None:
    "the end of a container was not seen";
    "The container was gone when the kubelet looked for its end. Exit code 137 is then a placeholder: no memory kill, no \
     restart.";
    "terminated.reason ContainerStatusUnknown, `The container could not be located when the pod was terminated`.";
    "An eviction whose record was lost, a node that restarted.";
    "An effect: what ended the pod is what to fix.".
PREEMPTED "preempted" Ask:
    "a pod was preempted by one of higher priority, and its replacement finds no place";
    "The scheduler ended the pod to make room for another with a higher priority. The new pod waits.";
    "event Preempted `Preempted by pod UID on node N`, or condition DisruptionTarget, reason PreemptionByScheduler; a \
     pod of the same owner is Pending.";
    "A full cluster, a priority that is too low or that of another workload too high.";
    "A person chooses: priorities, requests or nodes. The priority class of the pod that took the room is \
     listed.".
POD_DEADLINE_EXCEEDED "pod-deadline-exceeded" Ask:
    "a pod ran longer than its activeDeadlineSeconds";
    "The kubelet ended the pod when its deadline was over. Nothing starts it again.";
    "pod phase Failed, reason DeadlineExceeded.";
    "A deadline that was meant for a job, a program that takes longer than before.";
    "A person chooses: for pods of a CronJob a longer deadline, by what good runs took. A pod that is there \
     never gets more: raise it in Git and make the pod anew.".
NODE_SHUTDOWN_KILLED "node-shutdown-killed" None:
    "pods were ended because their node shut down";
    "The node shut down in an orderly way, ended its pods and admitted no new ones.";
    "pod phase Failed, reason Terminated or NodeShutdown.";
    "Maintenance, a spot instance that was taken back.";
    "Nothing as long as the replacements run.".
RESIZE_INFEASIBLE "resize-infeasible" Ask:
    "a pod cannot be resized in place";
    "New requests or limits were set on a running pod, and its node cannot give them, now or ever.";
    "condition PodResizePending, reason Infeasible or Deferred.";
    "A node that is too small or too full.";
    "A person chooses: smaller values for the pod as it runs, or a new pod on another node, by a rollout with \
     the values in the template.".
CPU_THROTTLED "cpu-throttled" Model:
    "a small cpu limit may be why probes time out";
    "Probes of the container time out and its cpu limit is below 200m. Nothing in the cluster's objects shows throttling: \
     it is a possible cause.";
    "Unhealthy events with timeouts, and limits.cpu below 200m.";
    "A limit that was copied, a check that needs more cpu than the program at rest.";
    "Needs judgement: usage against the limit.".
}
