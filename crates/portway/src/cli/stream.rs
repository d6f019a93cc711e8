//! Where a proxy or an agent has its configuration from.

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct StreamArgs {
    /// The controller that tells what to serve; its certificate must have the name HOST
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) controller: String,

    /// Certificates in PEM of who must have signed the controller's; by default who the system trusts
    ///
    /// It is read at each connect, so that it may be replaced.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) controller_ca: Option<PathBuf>,

    /// The token that the controller is shown; read at each connect
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
}
