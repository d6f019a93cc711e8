//! The system call bpf(2), for what aya has no function for.

use std::io;

use nix::libc;

/// A command of `enum bpf_cmd`, with the part of `union bpf_attr` that it reads and writes. Returns the kernel's answer.
///
/// # Errors
///
/// The kernel refuses.
///
/// # Safety
///
/// `A` is laid out as the command wants it. What it points to lives until the call returns, and is as long as the kernel may take it
/// to be.
#[allow(unsafe_code, reason = "the C library has no wrapper for this system call")]
pub(crate) unsafe fn bpf<A>(command: libc::c_int, attributes: &mut A) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes as many bytes as it is told, which are those of a structure that is ours alone during the
    // call; for what it points to, our caller vouches.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<A>()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
