//! Which source files of a crate import which, and the cycles among them.
//!
//! A file imports another one when its code names an item that the other one defines, by a `use`
//! or by a path in an expression, also inside a macro call. A name that reaches the file through
//! re-exports counts for the file that defines it. Declaring `mod child;` or re-exporting
//! `pub use child::Item` alone is not an import. Code under `#[cfg(test)]` is left out.
//!
//! From the bottom up: `paths` ← `modules` ← `imports` ← `cycles`.

mod cycles;
mod imports;
mod modules;
mod paths;

pub use cycles::cycles;
pub use imports::{Import, imports};
pub use modules::{Modules, SourceError};
