//! The flags of a list that comes in pages.

use clap::Args;

/// Selects a page; of `LIMIT` rows by default.
#[derive(Debug, Args)]
pub(crate) struct Paging<const LIMIT: u32> {
    /// Offset of the first row
    #[arg(long, value_name = "N", default_value_t = 0)]
    start: u32,

    /// Maximum number of rows, at most 1000
    #[arg(
        long,
        value_name = "N",
        default_value_t = LIMIT,
        value_parser = clap::value_parser!(u32).range(..=1000)
    )]
    limit: u32,
}

impl<const LIMIT: u32> Paging<LIMIT> {
    /// The query parameters.
    pub(crate) fn query(&self) -> [(&'static str, String); 2] {
        [("start", self.start.to_string()), ("limit", self.limit.to_string())]
    }
}
