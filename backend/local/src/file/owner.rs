//! Owners by name.

use rbc_ir::{ChownOpt, Input, UserOpt};
use rbc_source::execute;

use super::{Opened, Owner};
use crate::error::{Result, failure};
use crate::users;

/// Who an owner is. A name that is not listed is root, as BuildKit has it; `None` keeps the owner.
pub(super) fn find(owner: Option<&ChownOpt>, names: &dyn Fn(Input) -> Result<Opened>) -> Result<Owner> {
    let Some(owner) = owner else { return Ok(None) };
    let (mut uid, mut gid) = (0, 0);
    let listed_in = |input: Input, name: &str| match input {
        Input::Scratch => Err(failure(
            execute::FILES,
            format!("`{name}` cannot be looked up: there is no file system that would list it"),
        )),
        other => names(other),
    };
    match &owner.user {
        None => {}
        Some(UserOpt::Id(id)) => (uid, gid) = (*id, *id),
        Some(UserOpt::Name { name, input }) => {
            (uid, gid) = users::user_ids(listed_in(*input, name)?.source().root, name)?;
        }
    }
    match &owner.group {
        None => {}
        Some(UserOpt::Id(id)) => gid = *id,
        Some(UserOpt::Name { name, input }) => {
            if let Some(id) = users::group_id(listed_in(*input, name)?.source().root, name)? {
                gid = id;
            }
        }
    }
    Ok(Some((uid, gid)))
}
