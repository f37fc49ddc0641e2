// SPDX-License-Identifier: GPL-2.0
//! Writes the manual pages and the completions of shells, which are the description of the command
//! line in other forms, below a directory, as they are to lie below PREFIX/share.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::{generate_to, Shell};
use clap_mangen::roff::{roman, Roff};
use clap_mangen::Man;

use macvtap::cli::Cli;

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or_else(|| io::Error::other("usage: generate DIRECTORY"))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // Where each shell looks, and for what.
    for (shell, place, name) in [
        (Shell::Bash, "bash-completion/completions", "macvtap"),
        (Shell::Zsh, "zsh/site-functions", "_macvtap"),
        (Shell::Fish, "fish/vendor_completions.d", "macvtap.fish"),
    ] {
        let place = directory.join(place);
        fs::create_dir_all(&place)?;
        let written = generate_to(shell, &mut command, "macvtap", &place)?;
        fs::rename(written, place.join(name))?;
    }
    let pages = directory.join("man/man8");
    fs::create_dir_all(&pages)?;
    command.build();
    write_pages(&command, &pages)
}

/// The page of a command, and those of its own commands.
fn write_pages(command: &Command, directory: &Path) -> io::Result<()> {
    let page = Man::new(command.clone())
        .section("8")
        .source(concat!("macvtap ", env!("CARGO_PKG_VERSION")));
    let mut file = File::create(directory.join(page.get_filename()))?;
    page.render_title(&mut file)?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut file)?;
    }
    if let Some(notes) = command.get_after_long_help() {
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.to_string().lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []).to_writer(&mut file)?;
    }
    command
        .get_subcommands()
        .try_for_each(|one| write_pages(one, directory))
}
