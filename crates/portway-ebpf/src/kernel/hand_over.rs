//! From the maps of a former layout to those of this one, so that flows go on when an agent of another version comes.
//!
//! The former programs serve on until they are taken away; those of this version come before them and leave to them what they do not
//! know. So the order is: carry over what there is; attach; serve new flows, but for TCP that is under way; carry over what has begun
//! in between; take the former away.

use std::fs;
use std::path::Path;

use aya::maps::{HashMap, MapData, MapType, PerCpuHashMap, PerCpuValues};
use zerocopy::FromBytes;

use super::{Kernel, told};
use crate::error::KernelError;
use crate::layout::{self, Announced, AnnouncedKey, Flow, ServiceCounters, ServiceKey, Tuple};
use crate::layouts::{Conversion, Layout};
use crate::pin::Pins;
use crate::walk;

/// `BPF_NOEXIST`: what is there already is of later.
const UNLESS_THERE: u64 = 1;

/// What became of what an agent of another layout has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandOver {
    /// There was nothing, or this layout has served already.
    #[default]
    Nothing,
    /// It is carried over.
    From {
        /// The version of the former layout.
        version: u32,
        /// Entries of flows so far, two for each.
        entries: usize,
    },
    /// It is not, and its connections are cut when it is taken away.
    Cut {
        /// Why.
        why: String,
    },
}

/// The maps that a former layout was kept in.
#[derive(Debug)]
pub(super) struct Former {
    layout: Layout,
    pins: Pins,
}

/// The listeners that a former layout has, for their ids.
pub(super) type Services = Vec<(ServiceKey, layout::Service)>;

impl Kernel {
    /// What became of what an agent of another layout has left.
    pub fn hand_over(&self) -> &HandOver {
        &self.hand_over
    }

    /// Whether the former programs may be beginning flows that are not carried over yet.
    pub fn is_handing_over(&self) -> bool {
        self.former.is_some()
    }

    /// Carries over the flows that the former programs have begun since these maps were loaded; how many entries there were. To be
    /// called when the programs of this version serve, and before the former are taken away.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn end_hand_over(&mut self) -> Result<usize, KernelError> {
        let Some(former) = self.former.take() else { return Ok(0) };
        self.inherited.clear();
        self.carry_flows(&former)
    }

    /// Carries over what is under `directory`, if it is of one of these layouts.
    pub(super) fn begin_hand_over(&mut self, directory: &Path, known: &[Layout]) {
        self.hand_over = match Former::find(directory, known) {
            Ok(None) => HandOver::Nothing,
            Ok(Some(former)) => match self.carry(&former) {
                Ok(entries) => {
                    let version = former.layout.version();
                    self.former = Some(former);
                    HandOver::From { version, entries }
                }
                Err(error) => HandOver::Cut { why: error.to_string() },
            },
            Err(folders) => HandOver::Cut {
                why: format!(
                    "version {} of the layout of maps does not know that of {folders}",
                    Layout::current().version()
                ),
            },
        };
    }

    /// Services are left out: before they have their tables, the former programs take new flows.
    fn carry(&mut self, former: &Former) -> Result<usize, KernelError> {
        const ENDPOINTS: &str = "endpoints";
        let mut endpoints: HashMap<_, u32, layout::Endpoint> = self.map(ENDPOINTS)?;
        for (id, endpoint) in former.read::<u32, layout::Endpoint>(ENDPOINTS, None, "endpoint")? {
            endpoints.insert(id, endpoint, UNLESS_THERE).or_else(there).map_err(told(ENDPOINTS))?;
        }
        const ANNOUNCED: &str = "announced";
        let mut announced: HashMap<_, AnnouncedKey, Announced> = self.map(ANNOUNCED)?;
        for (key, value) in
            former.read::<AnnouncedKey, Announced>(ANNOUNCED, Some("announced_key"), "announced")?
        {
            announced.insert(key, value, UNLESS_THERE).or_else(there).map_err(told(ANNOUNCED))?;
        }
        self.carry_counters(former)?;
        self.inherited = former.read("services", Some("service_key"), "service")?;
        self.carry_flows(former)
    }

    fn carry_counters(&mut self, former: &Former) -> Result<(), KernelError> {
        const MAP: &str = "counters";
        let mut counters: PerCpuHashMap<_, u32, ServiceCounters> = self.map(MAP)?;
        for (id, of_processors) in former.read_all::<u32, ServiceCounters>(MAP, None, "service_counters")? {
            let values = PerCpuValues::try_from(of_processors).map_err(|error| told(MAP)(error.into()))?;
            counters.insert(id, values, UNLESS_THERE).or_else(there).map_err(told(MAP))?;
        }
        Ok(())
    }

    /// Flows that are in neither map here. Those of `new_flows` first: an entry that moves from there meanwhile is found in `flows`.
    fn carry_flows(&mut self, former: &Former) -> Result<usize, KernelError> {
        let mut carried = 0;
        for name in ["new_flows", "flows"] {
            let entries = former.read::<Tuple, Flow>(name, Some("tuple"), "flow")?;
            let other: HashMap<_, Tuple, Flow> =
                self.map(if name == "flows" { "new_flows" } else { "flows" })?;
            let missing: Vec<_> =
                entries.into_iter().filter(|(tuple, _)| other.get(tuple, 0).is_err()).collect();
            let mut map: HashMap<_, Tuple, Flow> = self.map(name)?;
            for (tuple, flow) in missing {
                match map.insert(tuple, flow, UNLESS_THERE) {
                    Ok(()) => carried += 1,
                    Err(error) => there(error).map_err(told(name))?,
                }
            }
        }
        Ok(carried)
    }
}

impl Former {
    /// What is kept under a directory by other layouts than this version's: the latest that is known. Where there are only others,
    /// their folders.
    fn find(directory: &Path, known: &[Layout]) -> Result<Option<Self>, String> {
        let own = Layout::current().folder();
        let folders = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        let names = folders.filter(|it| it.path().join("maps").is_dir()).map(|it| it.file_name());
        let others: Vec<_> =
            names.map(|it| it.to_string_lossy().into_owned()).filter(|it| *it != own).collect();
        let found = known.iter().filter(|it| others.contains(&it.folder())).max_by_key(|it| it.version());
        match found {
            Some(layout) => {
                let pins = Pins::in_folder(directory, &layout.folder());
                Ok(Some(Self { layout: layout.clone(), pins }))
            }
            None if others.is_empty() => Ok(None),
            None => Err(others.join(", ")),
        }
    }

    fn read<K: FromBytes, V: FromBytes>(
        &self,
        map: &'static str,
        key: Option<&str>,
        value: &str,
    ) -> Result<Vec<(K, V)>, KernelError> {
        let all = self.read_all(map, key, value)?;
        Ok(all.into_iter().filter_map(|(key, mut values): (_, Vec<V>)| Some((key, values.pop()?))).collect())
    }

    /// All entries of a map, with a value for each processor where they differ. `key` and `value` name structures; a key without one is
    /// a number.
    fn read_all<K: FromBytes, V: FromBytes>(
        &self,
        map: &'static str,
        key: Option<&str>,
        value: &str,
    ) -> Result<Vec<(K, Vec<V>)>, KernelError> {
        let now = Layout::current();
        let conversion = |name: &str| {
            Conversion::between(&self.layout, &now, name)
                .ok_or_else(|| KernelError::Former { map, version: self.layout.version() })
        };
        let of_key = key.map_or_else(|| Ok(Conversion::of_number(size_of::<u32>())), conversion)?;
        let of_value = conversion(value)?;
        let data = MapData::from_pin(self.pins.map(map)).map_err(told(map))?;
        let info = data.info().map_err(told(map))?;
        if (info.key_size() as usize, info.value_size() as usize)
            != (of_key.former_size, of_value.former_size)
        {
            return Err(KernelError::Former { map, version: self.layout.version() });
        }
        let stride = match info.map_type().map_err(told(map))? {
            MapType::PerCpuHash => of_value.former_size.next_multiple_of(8),
            _ => of_value.former_size,
        };
        let mut found = Vec::new();
        walk::for_each(&data, |key, values| {
            let one = |value: &[u8]| V::read_from_bytes(&of_value.convert(value)?).ok();
            let key = of_key.convert(key).and_then(|it| K::read_from_bytes(&it).ok());
            found.extend(key.map(|key| (key, values.chunks_exact(stride).filter_map(one).collect())));
        })
        .map_err(told(map))?;
        Ok(found)
    }
}

/// What is there already need not be carried over.
fn there(error: aya::maps::MapError) -> Result<(), aya::maps::MapError> {
    match error {
        aya::maps::MapError::SyscallError(ref it)
            if it.io_error.kind() == std::io::ErrorKind::AlreadyExists =>
        {
            Ok(())
        }
        error => Err(error),
    }
}
