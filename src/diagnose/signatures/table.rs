//! The signatures, in the order in which they are tried.

use crate::diagnose::crash::rows as crash;
use crate::diagnose::start::rows as start;
use crate::model::code::CodeInfo;

/// What a line of a log can mean.
pub(super) struct Row {
    pub id: &'static str,
    /// `None`: an error of the program's own that has a name.
    pub code: Option<&'static CodeInfo>,
    /// Exact enough to be taken for the truth; all others are likely.
    pub strong: bool,
    /// Tried in order; the first with a capture tells most. Names of captures may end in a digit.
    pub shapes: &'static [&'static str],
}

const fn row(id: &'static str, code: &'static CodeInfo, shapes: &'static [&'static str]) -> Row {
    Row { id, code: Some(code), strong: false, shapes }
}

const fn strong(id: &'static str, code: &'static CodeInfo, shapes: &'static [&'static str]) -> Row {
    Row { id, code: Some(code), strong: true, shapes }
}

/// A name for an error that only judgement can follow.
const fn named(id: &'static str, shapes: &'static [&'static str]) -> Row {
    Row { id, code: None, strong: false, shapes }
}

/// Several rows match one line: those that would be taken for another come first, the broad ones last.
/// All are case-insensitive unless they say otherwise.
pub(super) static ROWS: &[Row] = &[
    strong(
        "rbac",
        &crash::CRASH_RBAC_FORBIDDEN,
        &[concat!(
            r#"is forbidden: User "system:serviceaccount:(?P<ns>[^:"]+):(?P<sa>[^"]+)" cannot (?P<verb>\w+) "#,
            r#"resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)""#,
            r#"(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)"#
        )],
    ),
    row(
        "sa-token",
        &start::SA_TOKEN_MISSING,
        &[
            r"/var/run/secrets/kubernetes\.io/serviceaccount/(?P<file>token|ca\.crt).*(?:no such file|not found)",
            r"(?:no such file|not found).*/var/run/secrets/kubernetes\.io/serviceaccount/(?P<file>token|ca\.crt)",
            "unable to load in-cluster configuration",
        ],
    ),
    strong(
        "cfg-nginx-upstream",
        &crash::CRASH_DNS,
        &[r#"nginx: \[emerg\] host not found in upstream "(?P<host>[^":]+)(?::(?P<port>\d+))?"#],
    ),
    strong("cfg-nginx", &crash::CRASH_CONFIG_PARSE, &[r"nginx: \[emerg\] (?P<text>.*) in (?P<path>\S+):(?P<line>\d+)"]),
    row(
        "exec-fmt",
        &start::EXEC_FORMAT_ERROR,
        &[
            r#"exec "?(?P<path1>[^\s":]+)"?: exec format error"#,
            r"(?P<path2>/\S+): (?:cannot execute binary file|exec format error)",
            "exec format error|cannot execute binary file",
        ],
    ),
    row(
        "interp",
        &start::SCRIPT_CRLF,
        &[
            r"^exec (?P<path1>\S+): no such file or directory",
            r"(?P<path2>/[^\s:]+): (?:.*: )?bad interpreter",
            r"bad interpreter|\^M: ",
        ],
    ),
    row(
        "lib",
        &crash::CRASH_MISSING_LIBRARY,
        &[
            "error while loading shared libraries: (?P<lib1>[^:]+)",
            "Error loading shared library (?P<lib2>[^:]+)",
            r"version .(?P<lib3>GLIBC(?:XX)?_[\d.]+). not found",
            "symbol not found",
        ],
    ),
    row(
        "emfile",
        &crash::CRASH_TOO_MANY_FILES,
        &[
            r"too many open files|\bEMFILE\b|(?P<inotify>inotify watch limit|ENOSPC.*inotify|System limit for number of file watchers)",
        ],
    ),
    row(
        "bind-perm",
        &crash::CRASH_PORT_PRIVILEGED,
        &[
            r"\b(?:listen|bind)\b.*:(?P<port1>\d{1,5})\b.*permission denied",
            r"permission denied.*\b(?:listen|bind)\b.*:(?P<port2>\d{1,5})\b",
            r"\bbind\b.*permission denied|permission denied.*\bbind\b",
        ],
    ),
    row(
        "sh-notfound",
        &crash::CRASH_EXIT_127,
        &[r"^(?:\S*sh): (?:line \d+: |\d+: )?(?P<program>[^:]+): (?:command )?not found"],
    ),
    row(
        "rofs",
        &crash::CRASH_READ_ONLY_FS,
        &[
            r#"(?:^|[\s'"])(?P<path1>/[^\s:'"]+)['"]?: Read-only file ?system"#,
            r#"(?:Read-only file ?system|EROFS).*?['"\s](?P<path2>/[^\s:'"]+)"#,
            r"Read-only file ?system|\bEROFS\b",
        ],
    ),
    row(
        "enospc",
        &crash::CRASH_DISK_FULL,
        &[
            r#"(?:^|[\s'"])(?P<path1>/[^\s:'"]+)['"]?: No space left on device"#,
            r#"(?:No space left on device|ENOSPC|disk quota exceeded).*?['"\s](?P<path2>/[^\s:'"]+)"#,
            r"No space left on device|\bENOSPC\b|disk quota exceeded",
        ],
    ),
    row(
        "addr-in-use",
        &crash::CRASH_PORT_IN_USE,
        &[
            r":(?P<port1>\d{1,5})\b.*address (?:already )?in use",
            r"(?:EADDRINUSE|address (?:already )?in use).*?[:\s](?P<port2>\d{2,5})\b",
            r"port (?P<port3>\d+) (?:is|was) already",
            r"address already in use|EADDRINUSE|address in use",
        ],
    ),
    row(
        "dns-nx",
        &crash::CRASH_DNS,
        &[
            r"lookup (?P<host1>[\w.-]+)(?: on \S+)?: no such host",
            r#"could not translate host name "(?P<host2>[^"]+)""#,
            r"bad address '(?P<host3>[^']+)'",
            r"UnknownHostException: (?P<host4>[\w.-]+)",
            r"server can't find (?P<host5>[\w.-]+): NXDOMAIN",
            r"\bENOTFOUND (?P<host6>[\w.-]+)",
            r"Name or service not known.{0,20}?['\x22 ](?P<host7>[\w.-]+\.[\w.-]+)",
            r"no such host|NXDOMAIN|\bENOTFOUND\b|Name or service not known|getaddrinfo.*failed|Unknown host",
        ],
    ),
    row(
        "dns-down",
        &crash::CRASH_DNS,
        &[
            r"EAI_AGAIN (?P<host1>[\w.-]+)",
            r"lookup (?P<host2>[\w.-]+)(?: on \S+)?: .*server misbehaving",
            r"EAI_AGAIN|Temporary failure in name resolution|server misbehaving|no servers could be reached",
        ],
    ),
    row(
        "spring-port",
        &crash::CRASH_PORT_IN_USE,
        &[r"Web server failed to start\. Port (?P<port>\d+) was already in use"],
    ),
    row("spring-prop", &crash::CRASH_ENV_MISSING, &["Could not resolve placeholder '(?P<property>[^']+)'"]),
    row(
        "conn-refused",
        &crash::CRASH_DEPENDENCY_REFUSED,
        &[
            r"ECONNREFUSED (?P<host1>[\w.:-]+):(?P<port1>\d+)",
            concat!(
                r"(?P<host2>[a-z][\w.-]*|\d+(?:\.\d+){3})(?:\)?,? port |:)(?P<port2>\d{1,5})\b.{0,60}?",
                r"(?:connection )?refused\b"
            ),
            r"\((?P<host3>[\d.]+)\): connection refused",
            "connection refused",
        ],
    ),
    row(
        "conn-timeout",
        &crash::CRASH_DEPENDENCY_TIMEOUT,
        &[
            r"ETIMEDOUT (?P<host1>[\w.-]+):(?P<port1>\d+)",
            concat!(
                r"(?P<host2>[a-z][\w.-]*|\d+(?:\.\d+){3})(?:\)?,? port |:)(?P<port2>\d{1,5})\b.{0,60}?",
                r"(?:i/o timeout|timed out|deadline exceeded)"
            ),
            r"i/o timeout|connect(?:ion)? timed out|ETIMEDOUT|deadline exceeded",
        ],
    ),
    named("conn-reset", &[r"connection reset by peer|ECONNRESET|broken pipe|unexpected EOF"]),
    row(
        "no-route",
        &crash::CRASH_DEPENDENCY_TIMEOUT,
        &[
            r"(?P<host>[a-z][\w.-]*|\d+(?:\.\d+){3}):(?P<port>\d{1,5})\b.{0,60}?(?:no route to host|network is unreachable)",
            "no route to host|network is unreachable|EHOSTUNREACH",
        ],
    ),
    row(
        "env-unset",
        &crash::CRASH_ENV_MISSING,
        &[
            concat!(
                r"\b(?-i:(?P<var1>[A-Z][A-Z0-9]*_[A-Z0-9_]+))\b.{0,30}?\b(?:must be set|is not set|not set|not defined|",
                r"is required|unset|missing|undefined|not found in env)"
            ),
            r"KeyError: '(?-i:(?P<var2>[A-Z][A-Z0-9_]+))'",
            r#"env(?:ironment)? var(?:iable)?s?:? ["'$]?(?-i:(?P<var3>[A-Z][A-Z0-9_]+))"#,
            r"(?P<var4>\w+): parameter (?:null or )?not set",
        ],
    ),
    row(
        "bad-flag",
        &crash::CRASH_BAD_ARGS,
        &[
            r"flag provided but not defined: (?P<flag1>\S+)",
            r"unknown (?:shorthand )?flag:? (?:'\w' in )?(?P<flag2>-\S+)",
            r#"unrecognized (?:option|arguments?):? ['"]?(?P<flag3>[^'"\s]+)"#,
            r"unexpected argument '(?P<flag4>[^']+)'",
            r#"invalid value [^:]{0,40}for ["']?(?P<flag5>-{1,2}[\w-]+)"#,
            r"(?:invalid|no such|unknown) option:?(?: --)? ['\x22]?(?P<flag6>[\w-]+)",
            "unknown (?:shorthand )?flag|unrecognized (?:option|argument)|(?:invalid|no such) option",
        ],
    ),
    row(
        "cfg-parse",
        &crash::CRASH_CONFIG_PARSE,
        &[
            r#"(?P<path1>/[^\s:'"]+\.\w+)['"]?:?.{0,40}?(?:yaml: line (?P<line1>\d+)|mapping values are not allowed|did not find expected|toml: )"#,
            r"yaml: line (?P<line2>\d+)",
            concat!(
                "YAMLException|json: cannot unmarshal|invalid character .* looking for|JSONDecodeError|toml: |",
                "mapping values are not allowed|did not find expected|unmarshal errors"
            ),
        ],
    ),
    row(
        "jvm-oom",
        &crash::OOM_RUNTIME_HEAP,
        &[r"java\.lang\.OutOfMemoryError: (?P<kind>Java heap space|Metaspace|GC overhead|unable to create)"],
    ),
    row(
        "jvm-heap-start",
        &crash::OOM_RUNTIME_HEAP,
        &["Could not reserve enough space|Invalid maximum heap size|insufficient memory for the Java Runtime"],
    ),
    row("node-oom", &crash::OOM_RUNTIME_HEAP, &["JavaScript heap out of memory|Reached heap limit"]),
    named("py-mem", &[r"\bMemoryError\b|Cannot allocate memory|\bENOMEM\b|fork: .*allocate"]),
    named(
        "child-killed",
        &[r"^Killed$", r"worker .*(?:killed by|signal: ?9|exit(?:ed)? .*137)|SIGKILL! Perhaps out of memory"],
    ),
    row(
        "py-module",
        &crash::CRASH_MISSING_MODULE,
        &["ModuleNotFoundError: No module named '(?P<module1>[^']+)'", "ImportError: (?P<module2>.*)"],
    ),
    row(
        "node-module",
        &crash::CRASH_MISSING_MODULE,
        &["Cannot find module '(?P<module>[^']+)'", "ERR_MODULE_NOT_FOUND"],
    ),
    row(
        "java-module",
        &crash::CRASH_MISSING_MODULE,
        &[
            r"(?:ClassNotFoundException|NoClassDefFoundError): (?P<module1>[\w./$]+)",
            r"Could not find or load main class (?P<module2>\S+)",
            r"(?:could not load gem|Could not find gem) '?(?P<module3>[\w.-]+)",
        ],
    ),
    row(
        "x509-expired",
        &crash::CRASH_TLS,
        &["x509: certificate has expired or is not yet valid|CERT_HAS_EXPIRED|certificate verify failed.*expired"],
    ),
    row(
        "x509-ca",
        &crash::CRASH_TLS,
        &[concat!(
            "unknown authority|self[- ]signed certificate|UNABLE_TO_VERIFY_LEAF|unable to get local issuer|",
            "PKIX path building failed"
        )],
    ),
    row(
        "x509-name",
        &crash::CRASH_TLS,
        &[r"certificate is valid for (?P<valid>.*), not (?P<host>\S+)", "hostname mismatch|ERR_TLS_CERT_ALTNAME"],
    ),
    row(
        "tls-plain",
        &crash::CRASH_TLS,
        &["first record does not look like a TLS handshake|wrong version number|HTTP response to HTTPS client"],
    ),
    named(
        "k8s-crd",
        &[
            r#"no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)""#,
            "could not find the requested resource",
        ],
    ),
    named("leader", &["leaderelection lost|failed to acquire lease"]),
    named(
        "threads",
        &[concat!(
            "Resource temporarily unavailable|can't start new thread|unable to create (?:new )?native thread|",
            "EAGAIN.*fork|pthread_create"
        )],
    ),
    row(
        "sigill",
        &crash::CRASH_ILLEGAL_INSTRUCTION,
        &[r"requires a CPU with (?P<feature1>AVX\S*)|(?P<feature2>x86-64-v[234])", r"Illegal instruction|\bSIGILL\b"],
    ),
    row(
        "pg-auth",
        &crash::CRASH_DB_AUTH,
        &[
            r#"password authentication failed for user "(?P<user1>[^"]+)""#,
            r#"role "(?P<user2>[^"]+)" does not exist"#,
            r"no pg_hba\.conf entry",
        ],
    ),
    row(
        "pg-db",
        &crash::CRASH_MIGRATION,
        &[r#"database "(?P<name1>[^"]+)" does not exist"#, r#"relation "(?P<name2>[^"]+)" (?:does not|already) exist"#],
    ),
    row(
        "migration",
        &crash::CRASH_MIGRATION,
        &[
            r"dirty database version (?P<version>\d+)",
            "migration.{0,60}checksum|checksum.{0,60}migration|Migrations have failed validation",
        ],
    ),
    row(
        "my-auth",
        &crash::CRASH_DB_AUTH,
        &["Access denied for user '(?P<user>[^']+)'", r"ERROR 1045\b|Unknown database"],
    ),
    row("store-auth", &crash::CRASH_DB_AUTH, &[r"\bWRONGPASS\b|\bNOAUTH\b|Authentication failed|\bACCESS_REFUSED\b"]),
    row(
        "kafka",
        &crash::CRASH_DEPENDENCY_TIMEOUT,
        &[concat!(
            "LEADER_NOT_AVAILABLE|UnknownTopicOrPartition|Broker may not be available|",
            "bootstrap.servers.{0,60}(?:resolvable|invalid)"
        )],
    ),
    named("lock", &["could not (?:obtain|acquire) lock|Resource deadlock|lock file .* exists|already running.*pid"]),
    named(
        "pg-data",
        &[r"data directory .* has (?:wrong ownership|invalid permissions)|database files are incompatible with server"],
    ),
    row(
        "cloud",
        &crash::CRASH_QUOTA_UPSTREAM,
        &[
            "NoSuchBucket|AccessDenied|InvalidAccessKeyId|ExpiredToken|could not find default credentials|no EC2 IMDS role",
        ],
    ),
    named("readonly-db", &["attempt to write a readonly database|READONLY You can't write"]),
    row("license", &crash::CRASH_LICENSE, &["license (?:has )?expired|invalid license"]),
    row(
        "enoent",
        &crash::CRASH_FILE_MISSING,
        &[
            r#"(?:^|[\s'"(=])(?P<path1>/[^\s:'"]+)['"]?: (?:no such file or directory|(?P<folder1>is a directory))"#,
            concat!(
                r"(?:no such file or directory|ENOENT|FileNotFound\w*|NoSuchFileException|cannot find the (?:file|path)|",
                r#"(?P<folder2>is a directory|EISDIR)).{0,60}?['"\s:](?P<path2>/[^\s:'"]+)"#
            ),
            r"(?:No such file or directory|ENOENT): '(?P<path3>[^']+)'",
            r"can't open '(?P<path4>[^']+)': No such file",
        ],
    ),
    row(
        "perm",
        &crash::CRASH_PERMISSION_DENIED,
        &[
            r#"(?:^|[\s'"(=])(?P<path1>/[^\s:'"]+)['"]?: (?:permission denied|(?P<owner1>operation not permitted))"#,
            concat!(
                r"(?:permission denied|EACCES|(?P<owner2>operation not permitted|EPERM))",
                r#".{0,60}?['"\s](?P<path2>/[^\s:'"]+)"#
            ),
            r"can(?:'t|not) (?:open|create)(?: directory)? '?(?P<path3>/[^':\s]+).*(?:denied|not permitted)",
        ],
    ),
    row(
        "http-4xx",
        &crash::CRASH_QUOTA_UPSTREAM,
        &[
            r"https?://(?P<host1>[\w.-]+).*(?:status|code|HTTP(?:/[\d.]+)?)[ =:]+(?P<status1>401|403|429)\b",
            r"(?:status|code|HTTP(?:/[\d.]+)?)[ =:]+(?P<status2>401|403|429)\b.*https?://(?P<host2>[\w.-]+)",
        ],
    ),
    named("http-4xx", &[r"(?:status|code|HTTP(?:/[\d.]+)?)[ =:]+(?P<status>401|403|404|429)\b"]),
    named("ruby-php", &["uninitialized constant|Gem::|PHP Fatal error: (?P<text>.*)"]),
];
