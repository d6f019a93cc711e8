//! What shells and `man` want to know of the command line.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::output;

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "portway", &mut script);
    output::print(&String::from_utf8_lossy(&script));
}

/// Prints the man page, or writes those of all commands to a directory.
///
/// # Errors
///
/// The directory cannot be written.
pub(crate) fn man(directory: Option<&Path>) -> io::Result<()> {
    if let Some(directory) = directory {
        fs::create_dir_all(directory)?;
        return clap_mangen::generate_to(Cli::command(), directory);
    }
    let mut page = Vec::new();
    Man::new(Cli::command()).render(&mut page)?;
    output::print(&String::from_utf8_lossy(&page));
    Ok(())
}
