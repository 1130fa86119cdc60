//! From what was typed to what is used.

use super::environment::Environment;
use super::flags::LookArgs;
use crate::error::Error;
use std::path::PathBuf;

/// Kubeconfig files in the order kubectl merges them: the flag alone, else every file of
/// `KUBECONFIG`, else `~/.kube/config`.
pub fn kubeconfig(args: &LookArgs, environment: &Environment) -> Vec<PathBuf> {
    if let Some(file) = &args.kubeconfig {
        return vec![file.clone()];
    }
    if let Some(list) = environment.get("KUBECONFIG") {
        let separator = if cfg!(windows) { ';' } else { ':' };
        return list.to_string_lossy().split(separator).filter(|part| !part.is_empty()).map(PathBuf::from).collect();
    }
    environment.home().map(|home| home.join(".kube").join("config")).into_iter().collect()
}

/// The folder of the records: `AIFIX_STATE_DIR`, else the XDG state folder.
///
/// # Errors
/// When there is no home folder either, and when the folder is not named from the root: it would lie in
/// whatever folder we were started in, most often the user's clone.
pub fn state_folder(environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(folder) = environment.path("AIFIX_STATE_DIR") {
        return if folder.is_absolute() {
            Ok(folder)
        } else {
            let shown = crate::text::Sanitised::line(&folder.to_string_lossy());
            Err(Error::usage(format!("AIFIX_STATE_DIR is `{shown}`, which depends on the current folder"))
                .hint("set it to a path that begins with `/`"))
        };
    }
    environment
        .path("XDG_STATE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| environment.home().map(|home| home.join(".local").join("state")))
        .map(|folder| folder.join("aifix"))
        .ok_or_else(|| {
            Error::usage("there is no folder for the records").hint("set AIFIX_STATE_DIR to a folder of your own")
        })
}

/// The folder of what can be made again: the XDG cache folder.
///
/// # Errors
/// When there is no home folder either.
pub fn cache_folder(environment: &Environment) -> Result<PathBuf, Error> {
    environment
        .path("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| environment.home().map(|home| home.join(".cache")))
        .map(|folder| folder.join("aifix"))
        .ok_or_else(|| {
            Error::usage("there is no folder for a clone").hint("set XDG_CACHE_HOME to a folder of your own")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        look: LookArgs,
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn the_flag_beats_the_list_and_the_list_beats_the_home() {
        let typed = Typed::parse_from(["x"]).look;
        let home = environment(&[("HOME", "/h")]);
        assert_eq!(kubeconfig(&typed, &home), [PathBuf::from("/h/.kube/config")]);
        let list = environment(&[("HOME", "/h"), ("KUBECONFIG", "/a::/b")]);
        assert_eq!(kubeconfig(&typed, &list), [PathBuf::from("/a"), PathBuf::from("/b")]);
        let flag = Typed::parse_from(["x", "--kubeconfig", "/c"]).look;
        assert_eq!(kubeconfig(&flag, &list), [PathBuf::from("/c")]);
    }

    #[test]
    fn records_lie_where_the_user_says() {
        let state = |pairs: &[(&str, &str)]| state_folder(&environment(pairs)).ok();
        assert_eq!(state(&[("HOME", "/h")]), Some("/h/.local/state/aifix".into()));
        assert_eq!(state(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Some("/s/aifix".into()));
        assert_eq!(state(&[("AIFIX_STATE_DIR", "/r")]), Some("/r".into()));
        assert_eq!(state(&[]), None);
    }

    #[test]
    fn records_never_lie_below_the_current_folder() {
        let error = state_folder(&environment(&[("HOME", "/h"), ("AIFIX_STATE_DIR", "rel")])).unwrap_err();
        assert_eq!(error.kind, crate::error::Kind::Usage);
        assert!(error.message.contains("AIFIX_STATE_DIR is `rel`"), "{error:?}");
    }
}
