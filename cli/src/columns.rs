//! Tables as lists of columns: what each is called, what it means, and what it shows of an item.

use client::command::table;
use client::escape;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A column is not cut to less than this.
const NARROWEST: usize = 8;
/// The number of spaces between two columns.
const GAP: usize = 2;

/// A column of a table of `T`.
pub(crate) struct Column<T: 'static> {
    title: &'static str,
    meaning: &'static str,
    cell: fn(&T) -> String,
    only_wide: bool,
    may_be_cut: bool,
}

impl<T> Column<T> {
    /// A column that every table has.
    pub(crate) const fn new(
        title: &'static str,
        meaning: &'static str,
        cell: fn(&T) -> String,
    ) -> Column<T> {
        Column { title, meaning, cell, only_wide: false, may_be_cut: true }
    }

    /// A column that only `-o wide` shows.
    pub(crate) const fn wide(
        title: &'static str,
        meaning: &'static str,
        cell: fn(&T) -> String,
    ) -> Column<T> {
        Column { title, meaning, cell, only_wide: true, may_be_cut: true }
    }

    /// A column that is never cut: a name must be typed in full.
    pub(crate) const fn whole(
        title: &'static str,
        meaning: &'static str,
        cell: fn(&T) -> String,
    ) -> Column<T> {
        Column { title, meaning, cell, only_wide: false, may_be_cut: false }
    }
}

/// Explains the columns, for the end of a `--help`.
pub(crate) fn columns_help<T>(columns: &[Column<T>]) -> String {
    let longest = columns.iter().map(|column| column.title.len()).max().unwrap_or(0);
    let lines = |only_wide: bool| {
        let some = columns.iter().filter(move |column| column.only_wide == only_wide);
        some.map(|column| format!("\n  {:<longest$}  {}", column.title, column.meaning))
            .collect::<String>()
    };
    let wide = Some(lines(true)).filter(|lines| !lines.is_empty());
    let wide = wide.map(|lines| format!("\n\nColumns of -o wide:{lines}"));
    format!("Columns:{}{}", lines(false), wide.unwrap_or_default())
}

/// Lays out a table. `wide` adds the columns that are otherwise left out; `width` is what a row must
/// fit into: the widest column is cut until it does.
pub(crate) fn lay_out<T>(
    columns: &[Column<T>],
    items: &[T],
    wide: bool,
    width: Option<usize>,
) -> String {
    let columns: Vec<&Column<T>> =
        columns.iter().filter(|column| wide || !column.only_wide).collect();
    let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
    let row = |item: &T| columns.iter().map(|column| line(&(column.cell)(item))).collect();
    let mut rows: Vec<Vec<String>> = items.iter().map(row).collect();
    if let Some(width) = width {
        for (index, most) in widths(&columns, &rows, width).into_iter().enumerate() {
            for row in &mut rows {
                cut(&mut row[index], most);
            }
        }
    }
    table(&titles, rows)
}

fn line(cell: &str) -> String {
    escape(cell).into_owned()
}

/// Returns the width of each column so that a row fits, if it can.
fn widths<T>(columns: &[&Column<T>], rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let title = |index: usize| columns[index].title.width();
    let widest = |index: usize| rows.iter().map(|row| row[index].width()).max().unwrap_or(0);
    let mut widths: Vec<usize> =
        (0..columns.len()).map(|index| title(index).max(widest(index))).collect();
    let gaps = GAP * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let can_give = |index: &usize| {
            columns[*index].may_be_cut && widths[*index] > NARROWEST.max(title(*index))
        };
        let widest = (0..columns.len()).filter(can_give).max_by_key(|index| widths[*index]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
    }
    widths
}

/// Cuts a cell to a width; `…` marks where.
fn cut(cell: &mut String, most: usize) {
    if cell.width() <= most {
        return;
    }
    let mut width = 1;
    let end = cell.char_indices().find(|(_, character)| {
        width += character.width().unwrap_or(0);
        width > most
    });
    cell.truncate(end.map_or(cell.len(), |(index, _)| index));
    cell.push('…');
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const COLUMNS: [Column<[&str; 3]>; 3] = [
        Column::whole("NAME", "name of the thing", |item| item[0].to_owned()),
        Column::new("COMMENT", "what was said about it", |item| item[1].to_owned()),
        Column::wide("MORE", "what else there is", |item| item[2].to_owned()),
    ];
    const ITEMS: [[&str; 3]; 2] =
        [["a-name-is-not-cut", "漢字漢字漢字漢字漢字", "x"], ["b", "one\ntwo", "more of it"]];

    fn check(wide: bool, width: Option<usize>, expected: &Expect) {
        expected.assert_eq(&(lay_out(&COLUMNS, &ITEMS, wide, width) + "\n"));
    }

    #[test]
    fn the_widest_column_that_may_be_cut_gives_way() {
        check(
            false,
            None,
            &expect![[r#"
                NAME               COMMENT
                a-name-is-not-cut  漢字漢字漢字漢字漢字
                b                  one\ntwo
            "#]],
        );
        check(
            true,
            Some(43),
            &expect![[r#"
                NAME               COMMENT      MORE
                a-name-is-not-cut  漢字漢字漢…  x
                b                  one\ntwo     more of it
            "#]],
        );
        check(
            false,
            Some(5),
            &expect![[r#"
                NAME               COMMENT
                a-name-is-not-cut  漢字漢…
                b                  one\ntwo
            "#]],
        );
    }

    #[test]
    fn the_help_explains_every_column() {
        expect![[r#"
            Columns:
              NAME     name of the thing
              COMMENT  what was said about it

            Columns of -o wide:
              MORE     what else there is
        "#]]
        .assert_eq(&(columns_help(&COLUMNS) + "\n"));
    }
}
