//! The last good configuration on the disk.
//!
//! The file is a line that tells its format, and records after it: the first has all resources as they were on the
//! stream, each further one what was changed and removed since. A record is whole or it is not there, for it begins with its
//! length and hash; so where a crash has cut the last one off, the state before it is read. It holds private keys: nobody but the user of the process may read it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use portway_config::{NamespacedName, Revision};
use portway_shared_map::SharedMap;
use prost::Message;

use super::store::Held;
use crate::limits::Limits;
use crate::message::{Any, XdsResource};
use crate::resource::ResourceKey;

/// Name of the file in the state directory.
const FILE: &str = "configuration";

/// First line of the file: what it is, and the version of its format.
const FORMAT: &str = "portway-configuration/2";

/// The first line is short; a file that has none is not read to its end for it.
const HEADER_BYTES: usize = 256;

/// What a record begins with: the length of its content, and the hash of that.
const RECORD_HEADER_BYTES: usize = LENGTH_BYTES + HASH_BYTES;
const LENGTH_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// However little there is, this many bytes of changes may come after it before everything is written anew.
const LEAST_CHANGES_BYTES: usize = 64 * 1024;

/// What is saved.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) gateway: NamespacedName,
    pub(super) revision: Revision,
    pub(super) resources: SharedMap<ResourceKey, Held>,
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
    /// In a further record, those that are gone.
    #[prost(message, repeated, tag = "4")]
    removed: Vec<RemovedResource>,
}

#[derive(Clone, PartialEq, Message)]
struct RemovedResource {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(string, tag = "2")]
    name: String,
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

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct SavedFile {
    directory: PathBuf,
    written: Option<Written>,
}

#[derive(Debug)]
struct Written {
    saved: Saved,
    /// Bytes of all resources, and of all changes after them.
    whole: usize,
    changes: usize,
}

impl SavedFile {
    /// In this directory. What is there is not gone on with: nobody has read it to its end.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), written: None }
    }

    /// Saves it, so that there always is either the state before or this one as a whole. What is added to the file is what is
    /// different; only when that has come to as much as all resources are, these are written anew.
    pub(super) fn save(&mut self, saved: Saved) -> io::Result<()> {
        // Forgotten until it has succeeded: after a failure the file may end in half a record.
        if let Some(written) = self.written.take() {
            let record = record(&saved.since(&written.saved));
            let changes = written.changes + record.len();
            if changes <= written.whole.max(LEAST_CHANGES_BYTES) && self.append(&record)? {
                self.written = Some(Written { saved, whole: written.whole, changes });
                return Ok(());
            }
        }
        let record = record(&saved.whole());
        self.replace(&record)?;
        self.written = Some(Written { saved, whole: record.len(), changes: 0 });
        Ok(())
    }

    /// Returns whether there is a file to add to.
    fn append(&self, record: &[u8]) -> io::Result<bool> {
        let mut file = match OpenOptions::new().append(true).open(self.directory.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        file.write_all(record)?;
        file.sync_data()?;
        Ok(true)
    }

    fn replace(&self, record: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let temporary = self.directory.join(format!(".{FILE}.new"));
        // One that a killed process left behind may have been made with other rights.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        writeln!(file, "{FORMAT}")?;
        file.write_all(record)?;
        file.sync_all()?;
        fs::rename(&temporary, self.directory.join(FILE))?;
        File::open(&self.directory)?.sync_all()
    }
}

impl Saved {
    fn whole(&self) -> SavedConfiguration {
        SavedConfiguration {
            gateway: json(&self.gateway),
            revision: self.revision.0,
            resources: self.resources.values().map(on_stream).collect(),
            removed: Vec::new(),
        }
    }

    fn since(&self, before: &Self) -> SavedConfiguration {
        let (mut resources, mut removed) = (Vec::new(), Vec::new());
        for it in before.resources.differences(&self.resources, |a, b| a.version == b.version) {
            match it.after {
                Some(held) => resources.push(on_stream(held)),
                None => {
                    let type_url = it.key.resource_type().url().to_owned();
                    removed.push(RemovedResource { type_url, name: it.key.name() });
                }
            }
        }
        SavedConfiguration { gateway: json(&self.gateway), revision: self.revision.0, resources, removed }
    }
}

fn record(message: &SavedConfiguration) -> Vec<u8> {
    let mut record = vec![0; RECORD_HEADER_BYTES];
    // A Vec takes whatever is encoded.
    let _ = message.encode(&mut record);
    let (header, content) = record.split_at_mut(RECORD_HEADER_BYTES);
    let (length, hash) = header.split_at_mut(LENGTH_BYTES);
    length.copy_from_slice(&(content.len() as u64).to_be_bytes());
    hash.copy_from_slice(digest(&SHA256, content).as_ref());
    record
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
    let (header, records) = bytes.split_at(end);
    let header = String::from_utf8_lossy(header);
    if header != FORMAT {
        return Err(Problem::OtherFormat(header.into_owned()));
    }
    // Past the line's end, which `position` has found.
    let (first, mut rest) = next_record(records.get(1..).unwrap_or_default()).ok_or(Problem::Damaged)?;
    if first.gateway != json(gateway) {
        return Err(Problem::OtherGateway(first.gateway));
    }
    let (mut revision, mut resources) = (first.revision, BTreeMap::new());
    let put = |resource: XdsResource, resources: &mut BTreeMap<_, _>| {
        let type_url = resource.resource.as_ref().map(|it| it.type_url.clone()).unwrap_or_default();
        resources.insert((type_url, resource.name.clone()), resource);
    };
    first.resources.into_iter().for_each(|it| put(it, &mut resources));
    while let Some((record, after)) = next_record(rest) {
        (revision, rest) = (record.revision, after);
        for RemovedResource { type_url, name } in record.removed {
            resources.remove(&(type_url, name));
        }
        record.resources.into_iter().for_each(|it| put(it, &mut resources));
    }
    Ok(Some(Loaded { revision: Revision(revision), resources: resources.into_values().collect() }))
}

/// The record at the beginning, and what comes after it; None where there is no whole one.
fn next_record(bytes: &[u8]) -> Option<(SavedConfiguration, &[u8])> {
    let (length, bytes) = bytes.split_at_checked(LENGTH_BYTES)?;
    let (hash, bytes) = bytes.split_at_checked(HASH_BYTES)?;
    let length = usize::try_from(u64::from_be_bytes(length.try_into().ok()?)).ok()?;
    let (content, rest) = bytes.split_at_checked(length)?;
    let is_whole = digest(&SHA256, content).as_ref() == hash;
    let record = is_whole.then(|| SavedConfiguration::decode(content).ok()).flatten()?;
    Some((record, rest))
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
