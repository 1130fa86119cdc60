//! Rows of the config family.

use crate::diagnose::row::rows;

rows! { "config";
CONFIGMAP_MISSING "configmap-missing" Rule:
    "a container takes its environment from a ConfigMap that does not exist";
    "The kubelet cannot create the container because a ConfigMap that it names in env or envFrom, and does not \
     mark as optional, is not in the namespace.";
    "state.waiting.reason CreateContainerConfigError with `configmap \"N\" not found`.";
    "A mistyped name, a ConfigMap that was renamed or deleted, a manifest that was not applied.";
    "When exactly one ConfigMap of the namespace has a name that differs only by a typo and has every key the pod \
     names, every reference is set to it; or the reference of the last good revision is put back. Otherwise it \
     lists the ConfigMaps and refuses.".
SECRET_MISSING "secret-missing" Rule:
    "a container takes its environment from a Secret that does not exist";
    "The kubelet cannot create the container because a Secret that it names in env or envFrom, and does not mark as \
     optional, is not in the namespace.";
    "state.waiting.reason CreateContainerConfigError with `secret \"N\" not found`.";
    "A mistyped name, a Secret that an operator has not made yet, a Secret that was not copied into the namespace.";
    "Puts back the reference of the last good revision, or, with --read-secret-keys and for review, the one close name. \
     The value of a Secret is never made: otherwise it says where it should come from.".
CONFIGMAP_KEY_MISSING "configmap-key-missing" Rule:
    "a container takes a variable from a key that the ConfigMap does not have";
    "The kubelet cannot create the container because the ConfigMap exists and the named key is not in it.";
    "state.waiting.reason CreateContainerConfigError with `couldn't find key K in ConfigMap NS/N`.";
    "A mistyped key, a key that was renamed or removed in the ConfigMap only.";
    "Sets the reference to the only close key that no other variable of the container reads. A reference that worked \
     before is for a person: the key may have to come back.".
SECRET_KEY_MISSING "secret-key-missing" Rule:
    "a container takes a variable from a key that the Secret does not have";
    "The kubelet cannot create the container because the Secret exists and the named key is not in it.";
    "state.waiting.reason CreateContainerConfigError with `couldn't find key K in Secret NS/N`.";
    "A mistyped key, a key that was renamed when the credential was rotated, a Secret made by another tool.";
    "Puts back the key of the last good revision, or, with --read-secret-keys, the only key that differs by a \
     typo. A person always looks: another key is another credential. Values of Secrets are never read or changed.".
CONFIG_HASH_STALE "config-hash-stale" Ask:
    "a workload names an old generated ConfigMap or Secret";
    "The missing name ends in the hash of a generator, and the same name with another hash exists: the object was made \
     anew and the workload was not, or the old one was pruned.";
    "a missing ConfigMap or Secret `base-HASH` of ten characters beside an existing `base-OTHERHASH`.";
    "A sync that stopped half-way, generated objects that were applied without the workload, a prune that was too eager.";
    "Render and sync again. A workload that is rendered apart from the generator is for a person: set the new name.".
VOLUME_CONFIGMAP_MISSING "volume-configmap-missing" Rule:
    "a volume mounts a ConfigMap that does not exist";
    "The volume names a ConfigMap that is not in the namespace, so the container stays in ContainerCreating. Only \
     an event of the kubelet tells why.";
    "event FailedMount `MountVolume.SetUp failed for volume \"V\" : configmap \"N\" not found`, alone or in the list of a \
     projected volume.";
    "A mistyped name, a ConfigMap that was renamed or deleted, a manifest that was not applied.";
    "As for configmap-missing, on the volume's configMap.name: the one close ConfigMap with all keys that are named.".
VOLUME_SECRET_MISSING "volume-secret-missing" Rule:
    "a volume mounts a Secret that does not exist";
    "The volume names a Secret that is not in the namespace, so the container stays in ContainerCreating. Only an \
     event of the kubelet tells why.";
    "event FailedMount `MountVolume.SetUp failed for volume \"V\" : secret \"N\" not found`.";
    "A mistyped name, a certificate or external secret that was not made yet, a Secret of another namespace.";
    "As for secret-missing, on the volume's secretName. The value of a Secret is never made.".
VOLUME_KEY_MISSING "volume-key-missing" Rule:
    "a volume takes a key that its ConfigMap or Secret does not have";
    "The object of the volume exists and an item of the volume names a key that is not in it, so the container stays in \
     ContainerCreating.";
    "event FailedMount with `configmap references non-existent config key: K` or `references non-existent secret key: K`.";
    "A mistyped key, a file extension that differs, a key that was renamed in the object only.";
    "Sets the item's key to the only close key and keeps its path. Keys of a Secret need --read-secret-keys and a \
     person's look.".
SUBPATH_KEY_MISSING "subpath-key-missing" Rule:
    "a subPath names a file that the volume does not make";
    "A mount takes a subPath of a ConfigMap or Secret volume that has no such key. The kubelet makes an empty folder of \
     that name and says nothing; the program finds a folder where it wants a file.";
    "volumeMounts[].subPath against the paths that the volume makes; `Is a directory` in the log.";
    "A mistyped key, a file extension that differs, a key that was renamed in the ConfigMap only.";
    "Sets the subPath to the only close path of the volume; the mountPath stays.".
SUBPATH_EXPR_UNSET "subpath-expr-unset" Rule:
    "a subPathExpr uses a variable that the container does not have";
    "The kubelet cannot expand the subPathExpr of a mount, so it cannot create the container.";
    "state.waiting.reason CreateContainerConfigError with `missing value for VAR`.";
    "A mistyped variable, an env entry that was removed, a variable that only the image sets.";
    "Sets the only close variable of the container's env. Otherwise a person chooses.".
ENV_FROM_INVALID_KEYS "env-from-invalid-keys" None:
    "keys of an envFrom source are no variable names";
    "The kubelet skipped keys that cannot be names of variables. Kubelets from 1.34 on accept them.";
    "event InvalidEnvironmentVariableNames.";
    "Keys with dots or slashes, a ConfigMap of files that is used as environment.";
    "Nothing to change unless the program misses a variable: rename the key in the ConfigMap.".
ENV_DOLLAR_EATEN "env-dollar-eaten" Rule:
    "a dollar sign in command or args does not reach the program";
    "In command and args Kubernetes turns `$$` into `$` and `$(VAR)` into the variable's value; an unknown `$(VAR)` stays \
     as it is. The log shows such a leftover.";
    "`$$` or `$(VAR)` in command or args, and a literal `$(VAR)` or stray `$` in the log of a failing container.";
    "A shell's `$$` or command substitution in args, a variable that env does not define.";
    "Names the only variable of the container with a close name, for review. Otherwise it needs judgement.".
}
