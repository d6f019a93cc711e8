//! Why the kernel data plane could not be had.

use std::io;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::{ProgramError, TcError};
use aya::sys::SyscallError;

use crate::layout::LayoutError;

/// Why the kernel data plane could not be had, or a change of it not made. The messages say what was tried; [`help`]
/// says what to do.
///
/// [`help`]: Self::help
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The binary was put together wrongly.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Maps could not be made, or the object not be read.
    #[error("cannot load the eBPF programs: {}", causes(.0))]
    Load(#[from] EbpfError),
    /// The kernel refuses a program.
    #[error("the kernel refuses the eBPF program `{program}`: {}", causes(.error))]
    Program {
        /// Its name.
        program: &'static str,
        /// Why.
        error: Box<ProgramError>,
    },
    /// A program could not be attached.
    #[error("cannot attach the eBPF program `{program}` to the interface `{interface}` by tcx: {}", causes(.error))]
    Attach {
        /// Its name.
        program: &'static str,
        /// The interface.
        interface: String,
        /// Why.
        error: Box<ProgramError>,
    },
    /// What is to outlive the process could not be kept.
    #[error("cannot keep eBPF programs and maps at {path}: {error}")]
    Pin {
        /// Where.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What a former version keeps has changed in a way that nothing can be carried over by.
    #[error(
        "the eBPF map `{map}` of version {version} of the layout is not what that version describes, or has fields of another size"
    )]
    Former {
        /// Its name.
        map: &'static str,
        /// The version.
        version: u32,
    },
    /// A map could not be read or changed.
    #[error("the eBPF map `{map}`: {}", causes(.error))]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        error: MapError,
    },
}

impl KernelError {
    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        if matches!(self, Self::Layout(_)) {
            return Some("this is a fault of this build of Portway; please report it");
        }
        if matches!(self, Self::Pin { .. }) {
            return Some("it must be in a bpffs that may be written to: mount -t bpf bpf /sys/fs/bpf");
        }
        match self.system()?.raw_os_error()? {
            libc_errno::EPERM | libc_errno::EACCES => {
                Some("run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
            }
            libc_errno::ENODEV => Some("there is no such interface; `ip link` lists those that there are"),
            libc_errno::EINVAL if matches!(self, Self::Attach { .. }) => {
                Some("the kernel may be too old for tcx, which is in Linux from 6.6 on")
            }
            libc_errno::E2BIG | libc_errno::ENOSPC => {
                Some("the map is full; see its limit in docs/limits.md")
            }
            libc_errno::ENOMEM => Some("there is not enough memory for the maps; lower the limits"),
            _ => None,
        }
    }

    /// Whether it is the process that lacks a right.
    pub fn lacks_right(&self) -> bool {
        let code = self.system().and_then(io::Error::raw_os_error);
        matches!(code, Some(libc_errno::EPERM | libc_errno::EACCES))
    }

    /// The system's own error, where it was the system that refused.
    fn system(&self) -> Option<&io::Error> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = match self {
            Self::Layout(_) | Self::Former { .. } => None,
            Self::Load(error) => Some(error),
            Self::Program { error, .. } | Self::Attach { error, .. } => Some(&**error),
            Self::Map { error, .. } => Some(error),
            Self::Pin { error, .. } => return Some(error),
        };
        while let Some(error) = cause {
            // It shows itself as its cause, and hides that.
            if let Some(ProgramError::TcError(TcError::IoError(io_error))) = error.downcast_ref() {
                return Some(io_error);
            }
            if let Some(SyscallError { io_error, .. }) = error.downcast_ref() {
                return Some(io_error);
            }
            if let Some(error) = error.downcast_ref() {
                return Some(error);
            }
            cause = error.source();
        }
        None
    }
}

/// Numbers of errors, as Linux has them on every architecture that eBPF is compiled for here.
mod libc_errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const E2BIG: i32 = 7;
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const EACCES: i32 = 13;
    pub(super) const ENODEV: i32 = 19;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const ENOSPC: i32 = 28;
}

/// An error with what caused it, each once.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
