//! What the command-line programs share: exit codes, errors and output.

mod error;
mod exit;
mod output;
mod program;

pub use error::CommandError;
pub use exit::{CommandOutcome, CommandResult, EXIT_CODES};
pub use output::{
    clear_screen, note, print, print_data, print_json, print_json_text, print_log_line, progress,
    table,
};
pub use program::run_program;
