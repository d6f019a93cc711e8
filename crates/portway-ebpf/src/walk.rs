//! Reads a hash map whole, whatever its keys and values are: many entries for each system call. aya reads entry by entry, and
//! only those of a layout that is known when it is compiled.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::{Map, MapData, MapError, MapType};
use nix::libc;

use crate::syscall::bpf;

/// `BPF_MAP_LOOKUP_BATCH` of `enum bpf_cmd`, include/uapi/linux/bpf.h.
const LOOKUP_BATCH: libc::c_int = 24;

/// Entries that are asked for at once. A bucket of the kernel's table has to fit.
const AT_ONCE: u32 = 1024;

/// The part of `union bpf_attr` that `BPF_MAP_LOOKUP_BATCH` reads and writes.
#[repr(C)]
struct Batch {
    from: u64,
    up_to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// How full a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Entries that there are.
    pub entries: u64,
    /// Entries that there is room for.
    pub limit: u64,
}

/// How full a map is whose number of entries is not fixed. None: it is no such map, or cannot be read.
pub(crate) fn fill(map: &Map) -> Option<Fill> {
    let (Map::HashMap(data) | Map::LruHashMap(data) | Map::PerCpuHashMap(data) | Map::LpmTrie(data)) = map
    else {
        return None;
    };
    let mut entries = 0;
    for_each(data, |_, _| entries += 1).ok()?;
    Some(Fill { entries, limit: data.info().ok()?.max_entries().into() })
}

/// Shows every entry: its key and its value, of each processor where they differ. Those that come or go meanwhile may be missing, and
/// none is shown twice, but for maps of prefixes that change meanwhile.
///
/// # Errors
///
/// The kernel refuses.
pub(crate) fn for_each(map: &MapData, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), MapError> {
    let info = map.info()?;
    let key_size = info.key_size() as usize;
    let value_size = value_size(info.value_size() as usize, info.map_type()?)?;
    let mut keys = vec![0; key_size * AT_ONCE as usize];
    let mut values = vec![0; value_size * AT_ONCE as usize];
    // The place where the walk stands: the number of a bucket, or a key.
    let (mut from, mut up_to) = (vec![0; key_size.max(8)], vec![0; key_size.max(8)]);
    let mut is_first = true;
    loop {
        let mut batch = Batch {
            from: if is_first { 0 } else { from.as_ptr() as u64 },
            up_to: up_to.as_mut_ptr() as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: AT_ONCE,
            map: u32::try_from(map.fd().as_fd().as_raw_fd())
                .map_err(|it| MapError::IoError(io::Error::other(it)))?,
            element_flags: 0,
            flags: 0,
        };
        // SAFETY: `Batch` is laid out as the command wants it. The kernel writes `count` keys and values at most, and one place, for
        // which the vectors have room; it reads the place that it wrote before. All of them outlive the call.
        #[allow(unsafe_code, reason = "the system call takes addresses")]
        let answer = unsafe { bpf(LOOKUP_BATCH, &mut batch) };
        let is_last = match answer {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(MapError::IoError(error)),
        };
        let came = batch.count.min(AT_ONCE) as usize;
        for (key, value) in keys.chunks_exact(key_size).zip(values.chunks_exact(value_size)).take(came) {
            each(key, value);
        }
        if is_last {
            return Ok(());
        }
        std::mem::swap(&mut from, &mut up_to);
        is_first = false;
    }
}

/// Bytes of an entry's value, as the kernel hands it out.
fn value_size(size: usize, kind: MapType) -> Result<usize, MapError> {
    match kind {
        MapType::PerCpuHash | MapType::LruPerCpuHash => {
            let processors = aya::util::nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
            Ok(size.next_multiple_of(8) * processors)
        }
        _ => Ok(size),
    }
}
