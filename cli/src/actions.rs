//! `capstan actions`.

use clap::Subcommand;
use shared::job::ActionName;

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};

/// What `actions` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// Have no job of actions started until they are resumed; what runs goes on
    Pause {
        /// The actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
    /// Have jobs of actions started again
    Resume {
        /// The actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
}

/// Does it.
pub(crate) async fn run(api: &Api, command: ActionsCommand) -> Result<Ending, Failure> {
    let (actions, what) = match command {
        ActionsCommand::Pause { actions } => (actions, "pause"),
        ActionsCommand::Resume { actions } => (actions, "resume"),
    };
    let actions: Vec<&ActionName> = actions.iter().collect();
    each(&actions, async |action| api.command(&format!("/actions/{action}/{what}")).await).await
}

#[cfg(test)]
mod tests {
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn actions_are_named() {
        let parsed = |line: &str| {
            let line = ["capstan", "actions"].into_iter().chain(line.split_whitespace());
            Arguments::try_parse_from(line).is_ok()
        };
        for line in ["pause scan", "resume scan gc"] {
            assert!(parsed(line), "{line}");
        }
        for line in ["", "pause", "resume a/b", "stop scan"] {
            assert!(!parsed(line), "{line}");
        }
    }
}
