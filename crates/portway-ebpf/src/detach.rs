//! Takes a kept link from its interface at once.
//!
//! Removing its file is not enough: the kernel lets go of a link's last reference in its own time, and until then the
//! program goes on seeing packets (`bpf_link_put` in kernel/bpf/syscall.c defers it to a work queue). aya shows neither
//! `BPF_LINK_DETACH` nor the file descriptor of a link that it has opened.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;

use crate::syscall::bpf;

/// `BPF_OBJ_GET` and `BPF_LINK_DETACH` of `enum bpf_cmd`, include/uapi/linux/bpf.h.
const OBJECT_GET: libc::c_int = 7;
const LINK_DETACH: libc::c_int = 34;

/// The part of `union bpf_attr` that `BPF_OBJ_GET` reads.
#[repr(C)]
struct ObjectGet {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that `BPF_LINK_DETACH` reads.
#[repr(C)]
struct LinkDetach {
    link: u32,
}

/// Detaches the link that is kept under `path`. When this returns, its program sees no packet any more.
///
/// # Errors
///
/// There is no link, or the kernel refuses. Of a link whose interface has gone it says so.
pub(crate) fn detach(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut ask = ObjectGet { path: path.as_ptr() as u64, descriptor: 0, flags: 0 };
    // SAFETY: the attributes are laid out as the command wants them, and the path outlives the call.
    #[allow(unsafe_code, reason = "the system call takes an address")]
    let descriptor = unsafe { bpf(OBJECT_GET, &mut ask) }?;
    let descriptor = RawFd::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    #[allow(unsafe_code, reason = "the system call answers with a number")]
    let link = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let number = u32::try_from(link.as_raw_fd()).map_err(io::Error::other)?;
    // SAFETY: the attributes are laid out as the command wants them, and point to nothing.
    #[allow(unsafe_code, reason = "the system call is unsafe where it takes addresses")]
    unsafe { bpf(LINK_DETACH, &mut LinkDetach { link: number }) }.map(drop)
}
