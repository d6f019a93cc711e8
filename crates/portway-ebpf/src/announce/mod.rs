//! Announcing addresses at this node's interfaces: the programs answer ARP and NDP for what stands in a map, and gratuitous
//! messages are sent through another program.
//!
//! All is taken from where the [`Kernel`](crate::Kernel) keeps it, so whoever announces waits for nobody else.

mod frame;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};

pub use self::frame::gratuitous;
use crate::error::KernelError;
use crate::kernel::{SEND, missing, monotonic_clock, told};
use crate::layout::{Announced, AnnouncedKey};
use crate::pin::Pins;

const ANNOUNCED: &str = "announced";
const ANNOUNCER: &str = "announcer";
/// Where `struct __sk_buff` has its mark.
const MARK: std::ops::Range<usize> = 8..12;

/// An interface that addresses are announced at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Its index.
    pub interface: u32,
    /// Its Ethernet address.
    pub address: [u8; 6],
}

/// The way to the programs that announce.
pub struct Announcer {
    announced: HashMap<MapData, AnnouncedKey, Announced>,
    sign_of_life: Array<MapData, u64>,
    send: SchedClassifier,
    path: PathBuf,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Announcer {
    /// Opens what a kernel that is loaded keeps under `directory`.
    ///
    /// # Errors
    ///
    /// There is nothing, or it cannot be opened.
    pub fn open(directory: &Path) -> Result<Self, KernelError> {
        let pins = Pins::at(directory);
        let send = SchedClassifier::from_pin(pins.program(SEND));
        let send = send.map_err(|error| KernelError::Program { program: SEND, error: Box::new(error) })?;
        Ok(Self {
            announced: HashMap::try_from(open(&pins, ANNOUNCED)?).map_err(told(ANNOUNCED))?,
            sign_of_life: Array::try_from(open(&pins, ANNOUNCER)?).map_err(told(ANNOUNCER))?,
            send,
            path: pins.program(SEND),
        })
    }

    /// Whether it is still what the kernel uses: all may have been taken away.
    pub fn is_in_place(&self) -> bool {
        self.path.exists()
    }

    /// Answers for an address at an interface from now on.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn answer(&mut self, address: IpAddr, link: Link) -> Result<(), KernelError> {
        let value = Announced { link_address: link.address, reserved: [0; 2] };
        self.announced.insert(key(address, link.interface), value, 0).map_err(told(ANNOUNCED))
    }

    /// Answers for it no more.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn stop(&mut self, address: IpAddr, interface: u32) -> Result<(), KernelError> {
        self.announced.remove(&key(address, interface)).or_else(missing).map_err(told(ANNOUNCED))
    }

    /// What is answered for, with the indices of interfaces.
    pub fn answered(&self) -> Vec<(IpAddr, u32)> {
        let keys = self.announced.keys().filter_map(Result::ok);
        keys.map(|it| (it.address.into(), it.interface)).collect()
    }

    /// Gives a sign of life: the programs then leave it to this process to judge who else claims an address.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn live(&mut self) -> Result<(), KernelError> {
        let now = u64::try_from(monotonic_clock().as_nanos()).unwrap_or(u64::MAX);
        self.sign_of_life.set(0, now, 0).map_err(told(ANNOUNCER))
    }

    /// Tells all neighbours on a link that the address is here.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the interface does not send.
    pub fn tell(&self, address: IpAddr, link: Link) -> Result<(), KernelError> {
        let refused = |error| KernelError::Program { program: SEND, error: Box::new(error) };
        for frame in gratuitous(address, link.address) {
            let mut context = [0_u8; 184];
            context[MARK].copy_from_slice(&link.interface.to_ne_bytes());
            let options = TestRunOptions {
                data_in: Some(&frame),
                ctx_in: Some(&context),
                repeat: 1,
                ..TestRunOptions::default()
            };
            self.send.test_run(options).map_err(refused)?;
        }
        Ok(())
    }
}

fn key(address: IpAddr, interface: u32) -> AnnouncedKey {
    AnnouncedKey { address: address.into(), interface }
}

fn open(pins: &Pins, name: &'static str) -> Result<Map, KernelError> {
    let data = MapData::from_pin(pins.map(name)).map_err(told(name))?;
    Map::from_map_data(data).map_err(|error: MapError| told(name)(error))
}
