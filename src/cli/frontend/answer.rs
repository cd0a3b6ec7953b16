//! Errors as BuildKit passes them on, with the places that `docker build` shows.

use rbc_gateway::{Status, code};
use rbc_proto::details::Detail;
use rbc_source::{Diagnostic, lower};

use super::recipe::Recipe;
use super::tag::tag;
use crate::call;

/// An error of the build. `cause` is what the daemon said, if it is at the bottom of it.
pub fn status(error: &Diagnostic, recipe: Option<&Recipe>, cause: Option<&Status>) -> Status {
    let mut message = error.message.clone();
    if !error.notes.is_empty() {
        message += &format!(" ({})", error.notes.join("; "));
    }
    if let Some(tag) = tag(error, recipe) {
        message += &format!(" [{tag}]");
    }
    let mut details = cause.map(|cause| cause.details.clone()).unwrap_or_default();
    if let Some(recipe) = recipe {
        let mut places = Vec::from_iter(call::place(error));
        // These are about several instructions alike.
        if error.code == lower::VIOLATION || error.code == lower::CYCLE {
            places.extend(error.secondary.iter().map(|label| label.span));
        }
        details.extend(places.into_iter().map(|place| recipe.place(place).to_any()));
    }
    Status { code: cause.map_or(code::UNKNOWN, |cause| cause.code), message, details }
}

/// The client asks for something that this frontend does not have.
pub fn lacks(cap: &str) -> Status {
    Status {
        code: code::UNIMPLEMENTED,
        message: format!("unsupported frontend capability {cap}"),
        details: vec![Detail::FrontendCap(cap.to_owned()).to_any()],
    }
}

/// The client puts a question that this frontend does not know.
pub fn unknown_question(name: &str) -> Status {
    Status {
        code: code::UNKNOWN,
        message: format!("unsupported request {name}"),
        details: vec![Detail::Subrequest(name.to_owned()).to_any()],
    }
}
