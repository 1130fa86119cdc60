//! Rows of the image family.

use crate::diagnose::row::rows;

rows! { "image";
IMAGE_NOT_FOUND "image-not-found" Rule:
    "the registry does not have this image";
    "The registry answered that the repository or the tag does not exist, so the container cannot be created. \
     Waiting does not help.";
    "state.waiting.reason ImagePullBackOff or ErrImagePull with `not found` or `manifest unknown` as the cause \
     in its message, or in the Failed event of the same pod when the last attempt failed on the way.";
    "A tag that was never pushed, a build that failed after the deploy, a mistyped repository, a tag that was \
     deleted by a retention rule.";
    "Puts back the image of the last revision whose pods are ready. Without one it lists the tags of the same \
     repository that are in use and refuses: a tag is never guessed.".
IMAGE_ACCESS_DENIED "image-access-denied" Rule:
    "the registry denies access to the image, or does not have its repository";
    "The registry does not tell strangers whether a repository exists: either the name is wrong, or the node has no \
     right to pull it.";
    "state.waiting.message with `pull access denied`, `insufficient_scope` or a bare `denied:`.";
    "A mistyped repository, a private repository without a pull secret, a robot account that lost its right.";
    "Puts back the image of the last good revision. Otherwise a person chooses: correct the name, or reference a pull \
     secret.".
IMAGE_AUTH_REQUIRED "image-auth-required" Rule:
    "the registry wants credentials that the pull does not have";
    "The registry answered 401: the pull had no credentials for it, or wrong ones.";
    "state.waiting.message with `failed to authorize` and `401 Unauthorized`, `no basic auth credentials` or \
     `authentication required`.";
    "No imagePullSecrets on the pod and its ServiceAccount, a secret for another registry, an expired token.";
    "Adds the one pull secret that other workloads use for the same registry, for a person to review. Otherwise it \
     lists them, or says which credential to create.".
IMAGE_FORBIDDEN "image-forbidden" None:
    "the registry refuses this account the image";
    "The registry knows who asks and answers 403: the account may not pull this repository.";
    "state.waiting.message with `pulling from host H failed with status code ...: 403 Forbidden`.";
    "A right that was taken away, a policy of the registry, an address that is not on its list.";
    "Nothing in Git: grant the account the right to pull, in the registry.".
IMAGE_RATE_LIMITED "image-rate-limited" None:
    "the registry limits how often images are pulled";
    "The registry answered 429: too many pulls from this account or address. The workload is not at fault.";
    "state.waiting.message with `429 Too Many Requests`, `toomanyrequests` or `pull rate limit`.";
    "Anonymous pulls of many nodes behind one address, a rollout of many workloads at once.";
    "Nothing in Git: pull with credentials, or through a mirror. The kubelet tries again by itself.".
IMAGE_REGISTRY_ERROR "image-registry-error" None:
    "the registry answers with an error of its own";
    "The registry was reached and failed: a 5xx status, or the kubelet calls it unavailable.";
    "state.waiting.message with a 5xx status, or state.waiting.reason RegistryUnavailable.";
    "An outage or maintenance of the registry, a proxy before it without a backend.";
    "Nothing in Git: the registry has to recover. The kubelet tries again by itself.".
IMAGE_REGISTRY_UNREACHABLE "image-registry-unreachable" Rule:
    "the node does not reach the registry";
    "The connection from the node to the registry's host fails before any answer: its name, its port or the way to it.";
    "state.waiting.message with `failed to do request` and `no such host`, `connection refused`, `i/o timeout` or \
     `context deadline exceeded`.";
    "A mistyped registry host, a registry that is down, a firewall, DNS or proxy settings of the node.";
    "Puts back the image of the last good revision when it came from another host. A host close to one that other \
     images use is for a person to choose: the node's credentials would go there.".
IMAGE_REGISTRY_TLS "image-registry-tls" None:
    "the node does not trust the registry's certificate, or it speaks no TLS";
    "The TLS handshake between node and registry fails: an unknown authority, an expired certificate, another name, or \
     plain HTTP where HTTPS is expected.";
    "state.waiting.message with `x509: ...`, `tls: first record does not look like a TLS handshake` or `server gave \
     HTTP response to HTTPS client`.";
    "A private authority that the node does not know, a certificate that ran out, an insecure registry that is not \
     marked as one on the node.";
    "Nothing in Git: the trust settings of the container runtime on the node, or the registry's certificate.".
IMAGE_PLATFORM_MISSING "image-platform-missing" Ask:
    "the image is not built for the platform of the node";
    "The tag exists and its index has no image for the node's operating system and architecture.";
    "state.waiting.message with `no match for platform in manifest`.";
    "An image built on an arm64 laptop for amd64 nodes or the other way round, a mixed cluster.";
    "A person chooses: the image of the last good revision, an image built for the platform, or a node selector for \
     kubernetes.io/arch when such nodes exist.".
IMAGE_NAME_INVALID "image-name-invalid" Rule:
    "the image is no valid reference";
    "The kubelet cannot parse the image field, so it never asks any registry.";
    "state.waiting.reason InvalidImageName with `couldn't parse image name \"X\": invalid reference format` or \
     `invalid checksum digest length`.";
    "Upper case in the repository, quotes or blanks inside the value, an empty variable of a template, a cut digest.";
    "Takes off quotes or blanks around the value; lower-cases it when that image runs elsewhere, for review; or puts \
     back the image of the last good revision.".
IMAGE_NEVER_PRESENT "image-never-present" Rule:
    "the pull policy is Never and the node does not have the image";
    "imagePullPolicy Never forbids the pull, and the image was not loaded on the node before.";
    "state.waiting.reason ErrImageNeverPull, `Container image \"X\" is not present with pull policy of Never`.";
    "A setting from a local cluster, where images are loaded by hand, that reached a real one; a mistyped tag.";
    "Puts back imagePullPolicy or image of the last good revision. Otherwise a person chooses, IfNotPresent as a rule.".
IMAGE_PULL_SECRET_MISSING "image-pull-secret-missing" Rule:
    "a pull secret that the pod names does not exist";
    "The kubelet cannot read a Secret of imagePullSecrets and pulls without it. A public or cached image still comes, \
     a private one does not.";
    "event FailedToRetrieveImagePullSecret `Unable to retrieve some image pull secrets (N)`.";
    "A mistyped name, a secret that was not copied into the namespace, a secret that was renamed.";
    "Sets the one close name of a Secret, with --read-secret-keys and for a person to review. Otherwise it lists the \
     names that other workloads use.".
IMAGE_PULL_SLOW "image-pull-slow" None:
    "the pull of an image takes long";
    "The kubelet is still pulling, with neither an end nor an error. By default it pulls one image at a time.";
    "event Pulling older than five minutes without a Pulled or Failed after it, while the container is created.";
    "A huge image, a slow way to the registry, other pulls on the node before it.";
    "Nothing in Git: a smaller image, a mirror near the node.".
IMAGE_DISK_FULL "image-disk-full" None:
    "the node has no room for the image";
    "The image was found and could not be stored: the disk of the node is full.";
    "state.waiting.message of a pull with `no space left on device`.";
    "Images, logs and writable layers that fill the node's disk.";
    "Nothing in Git: free the node's disk. It is an effect of its disk pressure.".
IMAGE_CORRUPT "image-corrupt" None:
    "a layer of the image cannot be unpacked";
    "The layers came in and do not match their digests, end early, or cannot be extracted.";
    "state.waiting.message with `failed to extract layer`, `unexpected EOF`, `digest mismatch` or `failed commit on \
     ref`.";
    "A push that broke off, a proxy that cuts or rewrites, a broken disk of one node.";
    "Nothing in Git: push the image again when it fails on more than one node, else look at the node.".
IMAGE_SIGNATURE_REJECTED "image-signature-rejected" Ask:
    "the signature of the image is not accepted";
    "A policy of the node's runtime wants a signature, and that of this image is absent or wrong.";
    "state.waiting.reason SignatureValidationFailed.";
    "An image that was not signed, another key, a tag that was pushed again.";
    "The check is never bypassed. The image of the last good revision is shown for a person to choose.".
IMAGE_INSPECT_ERROR "image-inspect-error" None:
    "the node's runtime cannot read its own image";
    "The kubelet asked the runtime about an image that is on the node and got an error.";
    "state.waiting.reason ImageInspectError, event InspectFailed.";
    "A damaged image store on the node, a runtime that hangs.";
    "Nothing in Git: repair the container runtime of the node.".
IMAGE_VOLUME_FAILED "image-volume-failed" Rule:
    "an image that a volume mounts cannot be pulled";
    "A volume of type image names an image that does not come or cannot be mounted, so the container is not created.";
    "a waiting reason of an image pull or ImageVolumeMountFailed whose message names the image of volumes[].image.";
    "As for images of containers: a wrong tag, no credentials, a registry that does not answer.";
    "As the pull fault that its message tells, on volumes[].image.reference.".
IMAGE_TAG_MOVED "image-tag-moved" Model:
    "pods of one revision run different images under one tag";
    "The tag was pushed again between two pods: a pod that is ready and one that fails have other digests.";
    "status imageID of pods of the current revision differ while their spec has the same tag.";
    "A mutable tag such as latest or main, a tag that was pushed twice.";
    "Needs judgement: pinning the digest of the ready pod would hold the good image.".
}
