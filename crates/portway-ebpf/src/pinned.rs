//! The flows in maps that an agent keeps, for whoever looks at them from outside of it: they are there without the agent, too.

mod seen;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapData};
use nix::errno::Errno;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use zerocopy::FromBytes as _;

pub use self::seen::{FlowState, SeenFlow, Traffic, Way};
use crate::error::KernelError;
use crate::flow::has_expired;
use crate::kernel::{monotonic_clock, told};
use crate::layout::{self, FLOW_FROM_CLIENT, Flow, Tuple};
use crate::limits::Limits;
use crate::pin::Pins;
use crate::walk;

type Entries<K, V> = aya::maps::HashMap<MapData, K, V>;

/// The maps of flows, and of the endpoints that they lead to.
#[derive(Debug)]
pub struct PinnedFlows {
    directory: PathBuf,
    /// `new_flows` and `flows`, by name.
    flows: [(&'static str, MapData); 2],
    endpoints: Entries<u32, layout::Endpoint>,
}

impl PinnedFlows {
    /// Opens the maps that an agent of this version keeps under `directory`.
    ///
    /// # Errors
    ///
    /// There are none, or they may not be opened.
    pub fn open(directory: &Path) -> Result<Self, PinnedError> {
        look_for(directory)?;
        let flows = |map| Ok::<_, KernelError>((map, open_map(directory, map)?));
        let endpoints = Map::from_map_data(open_map(directory, "endpoints")?);
        Ok(Self {
            directory: directory.to_owned(),
            flows: [flows("new_flows")?, flows("flows")?],
            endpoints: endpoints.and_then(Entries::try_from).map_err(told("endpoints"))?,
        })
    }

    /// Whether these maps are still those of the node: `portway agent remove` takes them away, and so does an agent with another
    /// layout.
    pub fn are_kept(&self) -> bool {
        Pins::at(&self.directory).map("flows").exists()
    }

    /// All flows that have not been silent for too long, in the order of their clients. Those that begin or end meanwhile may be
    /// missing.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn read(&self, limits: &Limits) -> Result<Vec<SeenFlow>, PinnedError> {
        let now = monotonic_clock();
        let mut all: HashMap<Tuple, Flow> = HashMap::new();
        // Of the two maps, `flows` has the later state of a flow that moves at this moment, and comes last.
        for (name, map) in &self.flows {
            walk::for_each(map, |tuple, flow| {
                if let (Ok(tuple), Ok(flow)) = (Tuple::read_from_bytes(tuple), Flow::read_from_bytes(flow)) {
                    all.insert(tuple, flow);
                }
            })
            .map_err(told(name))?;
        }
        let mut endpoints = BTreeMap::new();
        let from_clients = all.iter().filter(|(_, flow)| flow.direction == FLOW_FROM_CLIENT);
        let mut seen: Vec<_> = from_clients
            .filter_map(|(tuple, flow)| {
                let replies = all.get(&flow.other);
                let whole = seen::both(flow, replies);
                let endpoint = *endpoints
                    .entry(flow.endpoint)
                    .or_insert_with(|| self.endpoints.get(&flow.endpoint, 0).ok());
                let is_over = has_expired(limits, tuple, &whole, now);
                (!is_over).then(|| SeenFlow::of(tuple, &whole, replies, endpoint, now))
            })
            .collect();
        seen.sort_by_key(SeenFlow::key);
        Ok(seen)
    }
}

fn open_map(directory: &Path, name: &'static str) -> Result<MapData, KernelError> {
    MapData::from_pin(Pins::at(directory).map(name)).map_err(told(name))
}

/// Whether there is anything to open; if not, why.
fn look_for(directory: &Path) -> Result<(), PinnedError> {
    let path = directory.to_owned();
    let map = Pins::at(directory).map("flows");
    let Err(error) = fs::symlink_metadata(&map) else { return Ok(()) };
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Err(PinnedError::NotPermitted { path });
    }
    let others = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    if others.filter(|it| it.path().join("maps").is_dir()).count() > 0 {
        return Err(PinnedError::OtherVersion { path });
    }
    Err(if is_in_bpffs(directory) { PinnedError::Nothing { path } } else { PinnedError::NoBpffs { path } })
}

/// Whether a path is in a bpffs, or would be if it were there.
fn is_in_bpffs(path: &Path) -> bool {
    for path in path.ancestors() {
        match statfs(path) {
            Ok(it) => return it.filesystem_type() == BPF_FS_MAGIC,
            Err(Errno::ENOENT) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Why there are no flows to look at. The messages say what is there instead; [`help`](Self::help) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PinnedError {
    /// No agent has been here.
    #[error("no agent keeps maps at {}", .path.display())]
    Nothing {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// Nor could one keep any.
    #[error("{} is in no bpffs: none is mounted there", .path.display())]
    NoBpffs {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// Who asks is not root.
    #[error("{} may not be looked at by this user", .path.display())]
    NotPermitted {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// The maps that are there have another layout.
    #[error("the maps at {} are of another version of Portway, whose layout this one does not know", .path.display())]
    OtherVersion {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// The kernel does not let them be opened.
    #[error(transparent)]
    Map(#[from] KernelError),
}

impl PinnedError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Nothing { .. } => {
                "on a node, they are where its agent's --pins says; `portway run` keeps none"
            }
            Self::NoBpffs { .. } => {
                "on the node: mount -t bpf bpf /sys/fs/bpf; in a container, the node's bpffs has to be mounted, as in the agent's pod"
            }
            Self::NotPermitted { .. } => "ask as root, with the capability CAP_BPF",
            Self::OtherVersion { .. } => "ask the binary of the agent that runs here",
            Self::Map(error) if error.lacks_right() => "ask as root, with the capability CAP_BPF",
            Self::Map(_) => "they may have been taken away just now; ask again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_kept_it_is_told_why() {
        let somewhere = tempfile::tempdir().unwrap();
        let pins = somewhere.path().join("portway");
        let error = PinnedFlows::open(&pins).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is in no bpffs: none is mounted there", pins.display()));
        assert!(error.help().contains("mount -t bpf"), "{}", error.help());
        fs::create_dir_all(pins.join("0123456789abcdef/maps")).unwrap();
        let error = PinnedFlows::open(&pins).unwrap_err();
        assert!(matches!(error, PinnedError::OtherVersion { .. }), "{error}");
    }
}
