//! The last good configuration on the disk.
//!
//! The file is a line that tells its format and the hash of the rest, and the resources as they were on the stream.
//! It holds private keys: nobody but the user of the process may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use portway_config::{NamespacedName, Revision};
use prost::Message;

use super::store::Held;
use crate::limits::Limits;
use crate::message::{Any, XdsResource};

/// Name of the file in the state directory.
const FILE: &str = "configuration";

/// First word of the file: what it is, and the version of its format.
const FORMAT: &str = "portway-configuration/1";

/// The first line is short; a file that has none is not read to its end for it.
const HEADER_BYTES: usize = 256;

/// What is saved.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) gateway: NamespacedName,
    pub(super) revision: Revision,
    pub(super) resources: Vec<Held>,
}

/// What was saved.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) revision: Revision,
    pub(super) resources: Vec<XdsResource>,
}

#[derive(Clone, PartialEq, Message)]
struct SavedConfiguration {
    /// JSON of namespace and name.
    #[prost(string, tag = "1")]
    gateway: String,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(message, repeated, tag = "3")]
    resources: Vec<XdsResource>,
}

/// Why a saved configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(super) struct LoadError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it is of another format, `{0}`, than this version's, {FORMAT}")]
    OtherFormat(String),
    #[error("it is damaged")]
    Damaged,
    #[error("it is that of another Gateway, {0}")]
    OtherGateway(String),
}

/// Writes it, so that there always is either the one before or this one as a whole.
pub(super) fn save(directory: &Path, saved: &Saved) -> io::Result<()> {
    let message = SavedConfiguration {
        gateway: json(&saved.gateway),
        revision: saved.revision.0,
        resources: saved.resources.iter().map(on_stream).collect(),
    };
    let content = message.encode_to_vec();
    drop(message);
    fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".{FILE}.new"));
    // One that a killed process left behind may have been made with other rights.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    writeln!(file, "{FORMAT} {}", hash(&content))?;
    file.write_all(&content)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(FILE))?;
    File::open(directory)?.sync_all()
}

/// Reads it; None: there is none.
pub(super) fn load(
    directory: &Path,
    gateway: &NamespacedName,
    limits: &Limits,
) -> Result<Option<Loaded>, LoadError> {
    let path = directory.join(FILE);
    read(&path, gateway, limits).map_err(|problem| LoadError { path, problem })
}

fn read(path: &Path, gateway: &NamespacedName, limits: &Limits) -> Result<Option<Loaded>, Problem> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(limits.saved_bytes as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limits.saved_bytes {
        return Err(Problem::TooLong(limits.saved_bytes));
    }
    let end = bytes.iter().take(HEADER_BYTES).position(|byte| *byte == b'\n').ok_or(Problem::Damaged)?;
    let (header, content) = bytes.split_at(end);
    // Past the line's end, which `position` has found.
    let content = content.get(1..).unwrap_or_default();
    let header = String::from_utf8_lossy(header);
    let (format, expected) = header.split_once(' ').unwrap_or((&header, ""));
    if format != FORMAT {
        return Err(Problem::OtherFormat(format.to_owned()));
    }
    if expected != hash(content) {
        return Err(Problem::Damaged);
    }
    let saved = SavedConfiguration::decode(content).map_err(|_| Problem::Damaged)?;
    if saved.gateway != json(gateway) {
        return Err(Problem::OtherGateway(saved.gateway));
    }
    Ok(Some(Loaded { revision: Revision(saved.revision), resources: saved.resources }))
}

fn on_stream(held: &Held) -> XdsResource {
    let key = held.resource.key();
    let type_url = key.resource_type().url().to_owned();
    XdsResource {
        version: held.version.0.to_string(),
        resource: Some(Any { type_url, value: held.resource.encode() }),
        name: key.name(),
    }
}

/// Two strings always have a form in JSON.
pub(super) fn json(gateway: &NamespacedName) -> String {
    serde_json::to_string(gateway).unwrap_or_default()
}

fn hash(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
