//! aifix: from a failing workload to a proved fix in Git.
//!
//! ```text
//! kubeconfig -> cluster -> Snapshot -> diagnose -> Findings (one root each, effects below, what changed)
//!     proposal: candidate after candidate, until one is proved
//!         fix      Finding -> Intent   a typed change of the live object, decided by rule
//!         source   Intent  -> Edits    which line of which file made the field; rendered before and after
//!     ui: finding, coloured diff, proof, question (default No)
//!     audit: entry "proposed" is durable -> repo: commit on a new ref -> git push -> forge: pull request
//! ```
//!
//! Values ([`model`]) flow one way. Imports only go down these floors, and rooms on one floor do not
//! import each other (a test fails on either):
//!
//! | floor | rooms |
//! |---|---|
//! | 8 | `main`: parse, run one command, turn result, signal or panic into an exit code |
//! | 7 | [`commands`]: one command per file |
//! | 6 | [`output`]: one format per file |
//! | 5 | [`proposal`]: tries candidate after candidate; [`follow`]: what became of a pushed fix; [`learn`]: what records teach |
//! | 4 | [`source`]: live object to Git, proved; [`fix`]: finding to intents, by rule; [`narrative`]: a model's words, each tied to evidence |
//! | 3 | [`diagnose`]: pure rules over a snapshot; [`render`]: tree to objects; [`forge`]: pull requests |
//! | 2 | [`cluster`]: the only reader of the cluster; [`repo`]: the only toucher of Git; [`policy`]: Rego in a child process; [`yaml`]; [`audit`]; [`schema`]: fields of the built-in kinds; [`llm`]: the only talker to a model |
//! | 1 | [`doors`]: child processes, files; [`settings`]; [`ui`]: the only writer to the terminal |
//! | 0 | [`model`], [`error`], [`text`], [`redact`] |
//!
//! What is absent, and tested: anything to the cluster but get, list and what is not stored (a review of our own
//! rights, a dry run when asked for); any change of the user's worktree,
//! index, HEAD, configuration or refs (objects and refs under `refs/aifix/` are added); a push without a proof
//! and a durable record; "not looked at" printed as "healthy".

pub mod audit;
pub mod cluster;
pub mod commands;
pub mod diagnose;
pub mod doors;
pub mod error;
pub mod fix;
pub mod follow;
pub mod forge;
pub mod learn;
pub mod llm;
pub mod model;
pub mod narrative;
pub mod output;
pub mod policy;
pub mod proposal;
pub mod redact;
pub mod render;
pub mod repo;
pub mod schema;
pub mod settings;
pub mod source;
pub mod text;
pub mod ui;
pub mod yaml;
