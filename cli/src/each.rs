//! Doing something with each of several jobs or workers.

use std::fmt::Display;

use crate::failure::{Ending, Failure};
use crate::out;

/// Does it with each, also after one that the API refused; ends with the last refusal. Whatever else
/// fails would fail for the rest too.
pub(crate) async fn each<T: Copy + Display>(
    all: &[T],
    mut action: impl AsyncFnMut(T) -> Result<(), Failure>,
) -> Result<Ending, Failure> {
    let mut refused: Option<(T, Failure)> = None;
    for one in all {
        match action(*one).await {
            Ok(()) => {}
            Err(refusal @ Failure::Refused(_)) => {
                if let Some((one, refusal)) = refused.replace((*one, refusal)) {
                    out::note(format!("{one}: {refusal}"));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    refused.map_or(Ok(Ending::Well), |(_, refusal)| Err(refusal))
}
