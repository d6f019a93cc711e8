//! Maps and links that outlive the process, in a bpffs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::SchedClassifierLink;
use aya::programs::{Program, ProgramError, SchedClassifier};
use nix::net::if_::if_nametoindex;

use crate::detach::detach;
use crate::error::KernelError;
use crate::layouts::Layout;

/// The maps that are kept. What the others hold is of one packet, or told anew.
pub(crate) const PINNED_MAPS: [&str; 9] =
    ["services", "tables", "endpoints", "flows", "new_flows", "counters", "drops", "announced", "announcer"];

/// Where they are.
#[derive(Debug)]
pub(crate) struct Pins {
    directory: PathBuf,
}

impl Pins {
    /// Under a folder that is named for the layout of the maps: those of another layout stay apart.
    pub(crate) fn open(directory: &Path) -> Result<Self, KernelError> {
        Self::open_in(directory, &Layout::current().folder())
    }

    /// The same for maps whose layout has this fingerprint.
    pub(crate) fn open_for(directory: &Path, fingerprint: u64) -> Result<Self, KernelError> {
        Self::open_in(directory, &folder_for(fingerprint))
    }

    fn open_in(directory: &Path, folder: &str) -> Result<Self, KernelError> {
        let it = Self::in_folder(directory, folder);
        for folder in ["maps", "links", "programs"] {
            let path = it.directory.join(folder);
            fs::create_dir_all(&path).map_err(|error| refused(&path, error))?;
        }
        Ok(it)
    }

    /// The same, whether there is anything or not.
    pub(crate) fn at(directory: &Path) -> Self {
        Self::in_folder(directory, &Layout::current().folder())
    }

    /// The same of another layout, by its folder.
    pub(crate) fn in_folder(directory: &Path, folder: &str) -> Self {
        Self { directory: directory.join(folder) }
    }

    /// Whether programs are at any interface by these.
    pub(crate) fn has_links(&self) -> bool {
        fs::read_dir(self.directory.join("links")).is_ok_and(|mut it| it.next().is_some())
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.directory.join("programs").join(name)
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.directory.join("maps").join(name)
    }

    /// Of a program at an interface. By its index: a name may come again with another interface.
    pub(crate) fn link(&self, interface: &str, program: &str) -> Result<PathBuf, KernelError> {
        let path = self.directory.join("links");
        let index = if_nametoindex(interface).map_err(|error| refused(&path, error.into()))?;
        Ok(self.link_of(index, program))
    }

    /// The same by the interface's index.
    pub(crate) fn link_of(&self, interface: u32, program: &str) -> PathBuf {
        self.directory.join("links").join(format!("{interface}-{program}"))
    }
}

/// Puts a program in the place of the one of a link that is kept. False: there is no link that lives.
pub(crate) fn take_over(program: &mut SchedClassifier, path: &Path) -> bool {
    let kept = PinnedLink::from_pin(path).map(FdLink::from);
    let link = kept.ok().and_then(|it| SchedClassifierLink::try_from(it).ok());
    let is_taken = link.is_some_and(|it| program.attach_to_link(it).is_ok());
    if !is_taken {
        // Its interface is gone, or it never was there.
        let _ = fs::remove_file(path);
    }
    is_taken
}

/// Keeps a link.
pub(crate) fn keep(link: SchedClassifierLink, path: &Path) -> Result<(), KernelError> {
    let told = |error: String| refused(path, io::Error::other(error));
    let link = FdLink::try_from(link).map_err(|error| told(error.to_string()))?;
    link.pin(path).map_err(|error| told(crate::error::causes(&error)))?;
    Ok(())
}

/// Keeps a program, in the place of one of the same name.
pub(crate) fn keep_program(program: &mut Program, path: &Path) -> Result<(), KernelError> {
    let told = |error: String| refused(path, io::Error::other(error));
    let program: &mut SchedClassifier =
        program.try_into().map_err(|error: ProgramError| told(crate::error::causes(&error)))?;
    // There may be none.
    let _ = fs::remove_file(path);
    program.pin(path).map_err(|error| told(crate::error::causes(&error)))
}

/// What is kept under a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// What this version goes on with as it is.
    Own,
    /// What a version with another layout has left, which can be carried over.
    Former,
    /// The same, and it is not known how.
    Unknown,
}

/// What is kept under a directory.
pub fn kept(directory: &Path) -> Kept {
    if Pins::at(directory).map("services").exists() {
        return Kept::Own;
    }
    let has = |pins: Pins| pins.map("services").exists();
    if Layout::former().iter().any(|it| has(Pins::in_folder(directory, &it.folder()))) {
        return Kept::Former;
    }
    let folders = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut folders = folders.map(|it| Pins { directory: it.path() });
    if folders.any(has) { Kept::Unknown } else { Kept::Nothing }
}

/// Takes away everything that was kept under a directory: links go, and with them the programs. Returns whether there
/// was anything. With `but_own`, what this version keeps stays.
///
/// # Errors
///
/// It cannot be removed.
pub fn remove(directory: &Path, but_own: bool) -> Result<bool, KernelError> {
    remove_others(directory, but_own.then(|| Layout::current().folder()))
}

/// The same, but for what is under this fingerprint.
pub(crate) fn remove_but(directory: &Path, own: Option<u64>) -> Result<bool, KernelError> {
    remove_others(directory, own.map(folder_for))
}

fn folder_for(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

fn remove_others(directory: &Path, own: Option<String>) -> Result<bool, KernelError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(refused(directory, error)),
    };
    let mut was_there = false;
    for entry in entries.filter_map(Result::ok) {
        if own.as_ref().is_some_and(|own| *entry.file_name() == **own) {
            continue;
        }
        detach_all(&entry.path().join("links"));
        fs::remove_dir_all(entry.path()).map_err(|error| refused(&entry.path(), error))?;
        was_there = true;
    }
    Ok(was_there)
}

/// Ends what the kept links do, at once.
fn detach_all(links: &Path) {
    for link in fs::read_dir(links).into_iter().flatten().filter_map(Result::ok) {
        // What is refused ends when its file is gone and the kernel gets round to it; where the interface has gone
        // before, there is nothing to detach.
        let _ = detach(&link.path());
    }
}

fn refused(path: &Path, error: io::Error) -> KernelError {
    KernelError::Pin { path: path.display().to_string(), error }
}
