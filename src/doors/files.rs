//! Scratch folders and whole-file writes, private to the user.
#![expect(clippy::disallowed_methods, reason = "this is the door for files")]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

/// A folder of mode 0700 that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    /// Held as long as the process lives: what nobody holds was left by one that was killed.
    _held: fs::File,
}

/// The file in a scratch folder that its process holds.
const HELD: &str = ".held";
/// A folder of this age that nobody holds is left over; a younger one may be about to be held.
const LEFT_OVER: Duration = Duration::from_secs(60);

impl Scratch {
    /// Makes one in the system's temporary folder. The first one of a process also takes away what killed
    /// processes of the same user left there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let folder =
            tempfile::Builder::new().prefix(SCRATCH).permissions(fs::Permissions::from_mode(0o700)).tempdir()?;
        let held = fs::File::create(folder.path().join(HELD))?;
        held.lock()?;
        if let (Some(parent), Ok(own)) = (folder.path().parent(), fs::symlink_metadata(folder.path())) {
            SWEPT.call_once(|| sweep(parent, own.uid(), LEFT_OVER));
        }
        Ok(Self { folder, _held: held })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

const SCRATCH: &str = "aifix-";

/// Removes scratch folders of this user that nobody holds any more. What can't be removed stays.
fn sweep(parent: &Path, owner: u32, age: Duration) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(SCRATCH)
            && fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir() && meta.uid() == owner);
        let held = path.join(HELD);
        let is_old = || {
            let made = fs::symlink_metadata(&held).and_then(|meta| meta.modified());
            made.is_ok_and(|made| made.elapsed().is_ok_and(|past| past >= age))
        };
        if is_ours && is_old() && fs::File::open(&held).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Reads a file.
///
/// # Errors
/// When it can't be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
}

/// Reads at most `limit` bytes of a file; one byte more is an error of kind `FileTooLarge`.
///
/// # Errors
/// When it can't be read or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    use io::Read;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes"));
    let file = fs::File::open(path)?;
    // Known at once of a regular file; a pipe has no length.
    if file.metadata()?.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// Whether something is there; links are not followed.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether anybody but its owner may read or write a file.
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o066 != 0)
}

/// Whether nothing is there, or a regular file; a link or a device is neither.
pub fn is_free_or_regular(path: &Path) -> bool {
    path.symlink_metadata().map_or(true, |found| found.is_file())
}

/// Whether it is a folder.
pub fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// The nearest folder at or above `path` that is there, when nothing can be written into it: neither `path`
/// nor anything in it could be made. Nothing is written to find out.
pub fn closed_ancestor(path: &Path) -> Option<&Path> {
    use rustix::fs::{Access, access};
    let there = path.ancestors().find(|folder| exists(folder))?;
    let is_open = is_dir(there) && access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok() && !is_of_kernel(there);
    (!is_open).then_some(there)
}

/// Whether the kernel makes up what is there. The superuser has every right and still can make nothing.
fn is_of_kernel(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::statfs(folder).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC);
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// Writes a file whole or not at all, of mode 0600: a new file beside it, then a rename.
///
/// # Errors
/// When it can't be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a new file of mode 0600, whole or not at all; `AlreadyExists` when one is there.
///
/// # Errors
/// When it is there already or can't be written.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Puts the name of a file that was made or replaced on the disk, too: without it a power cut may take it back.
///
/// # Errors
/// When its folder can't be synced.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

/// Writes a file below a scratch folder, making its folders.
///
/// # Errors
/// When it can't be written.
pub fn write_scratch(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

/// Makes a file of this length below a scratch folder that holds nothing and takes no room.
///
/// # Errors
/// When it can't be made.
#[cfg(test)]
pub(crate) fn write_scratch_sparse(path: &Path, length: u64) -> io::Result<()> {
    fs::File::create(path)?.set_len(length)
}

/// Removes a file of ours.
///
/// # Errors
/// When it can't be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Makes a folder and those above it, of mode 0700.
///
/// # Errors
/// When it can't be made.
pub fn make_private_folder(path: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(path.to_owned())
}

/// Takes a folder that was there before from everybody but its owner. One with the sticky bit, such as
/// `/tmp`, is everybody's and stays as it is; so does one of another owner, whose mode can't be changed.
///
/// # Errors
/// When its mode can't be read.
pub fn tighten_folder(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 && mode & 0o1000 == 0 {
        // Not ours: the files in it are private all the same.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700));
    }
    Ok(())
}

/// Names of the entries of a folder, sorted.
///
/// # Errors
/// When it can't be read.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> =
        fs::read_dir(path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Makes a symbolic link in a scratch folder, with the folders above it.
///
/// # Errors
/// When it can't be made.
pub fn link_scratch(path: &Path, target: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(target, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_held_stays() {
        let parent = Scratch::new().unwrap();
        let owner = fs::symlink_metadata(parent.path()).unwrap().uid();
        let folder = |name: &str| {
            write_scratch(&parent.path().join(name).join(HELD), b"").unwrap();
            write_scratch(&parent.path().join(name).join("tree/a.yaml"), b"x").unwrap();
            fs::File::open(parent.path().join(name).join(HELD)).unwrap()
        };
        let (living, _left, _other) = (folder("aifix-living"), folder("aifix-left"), folder("other-left"));
        living.lock().unwrap();
        write_scratch(&parent.path().join("aifix-notes/a.txt"), b"of somebody").unwrap();
        link_scratch(&parent.path().join("aifix-link"), "aifix-left").unwrap();
        let there = || list(parent.path()).unwrap().into_iter().filter(|name| name != HELD).collect::<Vec<_>>();
        let before = there();
        sweep(parent.path(), owner + 1, Duration::ZERO);
        sweep(parent.path(), owner, LEFT_OVER);
        assert_eq!(there(), before, "another's, or too young");
        sweep(parent.path(), owner, Duration::ZERO);
        assert_eq!(there(), ["aifix-link", "aifix-living", "aifix-notes", "other-left"]);
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_known_without_trying() {
        let scratch = Scratch::new().unwrap();
        assert_eq!(closed_ancestor(&scratch.path().join("a/b")), None);
        assert!(!exists(&scratch.path().join("a")), "nothing is made");
        let file = scratch.path().join("file");
        write_private(&file, b"").unwrap();
        assert_eq!(closed_ancestor(&file.join("a/b")), Some(file.as_path()));
        if cfg!(target_os = "linux") {
            assert_eq!(closed_ancestor(Path::new("/proc/1/.local/state")), Some(Path::new("/proc/1")));
        }
    }
}
