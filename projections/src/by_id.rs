//! The condition that picks rows by their ids.

/// `<column> = <one of the ids>`; bind the ids to the parameter, as `text[]`.
///
/// Of a list PostgreSQL does not know the length when it plans once for all, assumes ten, and therefore goes on planning anew at each
/// call, which takes longer than to look one row up. A single id, which is what most requests ask for, it knows to be one.
pub(crate) fn one_of(column: &str, parameter: &str, ids: usize) -> String {
    match ids {
        1 => format!("{column} = ({parameter}::text[])[1]"),
        _ => format!("{column} = ANY ({parameter})"),
    }
}
