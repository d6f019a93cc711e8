//! Times and sizes of announcing. `docs/limits.md` lists them, which a test holds.

use std::time::Duration;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident $key:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: $type = $value;)+

        /// Name and value of each, as the documentation has them.
        pub fn all() -> Vec<(&'static str, String)> {
            vec![$((stringify!($key), format!("{:?}", $name))),+]
        }
    };
}

limits! {
    /// How often a node that announces an address says so to the others.
    HOLDER_INTERVAL holder_interval: Duration = Duration::from_millis(150);
    /// How often a node that announces none says that it is there.
    STANDBY_INTERVAL standby_interval: Duration = Duration::from_secs(1);
    /// Silence about an address after which another node announces it.
    HOLDER_SILENCE holder_silence: Duration = Duration::from_millis(700);
    /// Silence after which a node that announces nothing is not counted with any more.
    STANDBY_SILENCE standby_silence: Duration = Duration::from_millis(3500);
    /// How much later than the first in rank the second takes an address, and each one after it.
    RANK_STEP rank_step: Duration = Duration::from_millis(40);
    /// Ranks that are told apart by that.
    RANKS ranks: u32 = 5;
    /// How long an address that was offered to others is waited for to be taken.
    OFFER_PATIENCE offer_patience: Duration = Duration::from_secs(1);
    /// How long nodes and their addresses must have been steady before an address goes to the node that is first in rank.
    CALM calm: Duration = Duration::from_secs(120);
    /// When gratuitous ARP or NDP is sent, counted from the take-over.
    GRATUITOUS gratuitous: [Duration; 4] =
        [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
    /// How often it is sent again after that: a node whose agent died while the segment was parted hears of it so.
    GRATUITOUS_AGAIN gratuitous_again: Duration = Duration::from_secs(30);
    /// Addresses in one heartbeat; those of a node that has more are in several.
    CLAIMS claims: usize = 40;
}
