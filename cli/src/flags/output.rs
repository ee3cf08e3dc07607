//! The flags that select how a list or an object is printed.

use std::io::{IsTerminal, stdout};

use clap::{Args, ValueEnum};
use client::command::{CommandError, print, print_data, print_json};
use serde_json::Value;

/// For people, tables and records; for programs, a format.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputFlags {
    /// Output format: json, yaml, name (an id or a name per line) or wide (all columns)
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        hide_possible_values = true,
        conflicts_with = "json"
    )]
    format: Option<Format>,

    /// The same as -o json
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Yaml,
    Name,
    Wide,
}

impl OutputFlags {
    /// True if tables have all of their columns.
    pub(crate) fn is_wide(self) -> bool {
        self.format == Some(Format::Wide)
    }

    /// True if the output is for people.
    pub(crate) fn is_table(self) -> bool {
        !self.json && matches!(self.format, None | Some(Format::Wide))
    }

    /// True if a whole document is printed: JSON or YAML.
    pub(crate) fn is_document(self) -> bool {
        self.json || matches!(self.format, Some(Format::Json | Format::Yaml))
    }

    /// The width that tables must fit into: that of the terminal, if they are printed to one.
    pub(crate) fn table_width(self) -> Option<usize> {
        let fits = !self.is_wide() && stdout().is_terminal();
        let size = terminal_size::terminal_size_of(stdout()).filter(|_| fits)?;
        Some(usize::from(size.0.0)).filter(|width| *width > 0)
    }

    /// Prints one document if a format for programs is selected. Returns false if none is.
    pub(crate) fn print_one(self, document: &Value, name: &str) -> Result<bool, CommandError> {
        self.print(document, &[&document[name]])
    }

    /// Prints a document with a list if a format for programs is selected; `-o name` prints the
    /// field `name` of each item. Returns false if none is selected.
    pub(crate) fn print_list(
        self,
        document: &Value,
        items: &Value,
        name: &str,
    ) -> Result<bool, CommandError> {
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        self.print(document, &items.iter().map(|item| &item[name]).collect::<Vec<_>>())
    }

    /// Prints a document if a format for programs is selected; `-o name` prints these names. Returns
    /// false if none is selected.
    pub(crate) fn print(self, document: &Value, names: &[&Value]) -> Result<bool, CommandError> {
        let format = if self.json { Some(Format::Json) } else { self.format };
        match format {
            None | Some(Format::Wide) => return Ok(false),
            Some(Format::Json) => print_json(document)?,
            Some(Format::Yaml) => {
                let text = serde_yaml_ng::to_string(document).map_err(anyhow::Error::from)?;
                print_data(text.trim_end())?;
            }
            Some(Format::Name) => {
                for name in names {
                    print(name.as_str().unwrap_or_default())?;
                }
            }
        }
        Ok(true)
    }
}
