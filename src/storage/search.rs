//! Looking for a part of a text.

use diesel::expression::AsExpression;
use diesel::sql_types::Text;

diesel::define_sql_function! {
    /// `text` with `by` wherever it has `part`.
    fn replace(text: Text, part: Text, by: Text) -> Text;
}

/// What is left of a column without this part, which is something else than the column where it holds the part.
///
/// So a part is looked for, and not by `LIKE`: PostgreSQL, which plans without knowing the pattern, expects one row in two hundred of it, and reads
/// and sorts all that a tenant has before it gives the first page. Of this it expects nearly all, and goes by the key until the page is full.
pub(super) fn without<C: AsExpression<Text>>(
    column: C,
    part: String,
) -> replace<C, String, &'static str> {
    replace(column, part, "")
}
