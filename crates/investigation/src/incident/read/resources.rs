//! `resources.json`: what is known about resources, and from which values on that is worth a fact.

use std::path::Path;

use serde_json::Value;

use super::{ReadError, ReadErrorKind, bytes};
use crate::incident::Gathered;
use crate::request::resource_of;
use crate::resource::{RESOURCES_MAX, Thresholds};

/// Reads a file of resources: `{"resources": […], "thresholds": {…}}`, or a list of resources alone.
///
/// # Errors
///
/// The file cannot be read, is no JSON, or holds a resource without name and ARN, an unknown threshold, or too much.
pub fn read_resources(file: &Path) -> Result<Gathered, ReadError> {
    let fail = |kind| ReadError::new(file, kind);
    let json: Value = serde_json::from_slice(&bytes(file)?)
        .map_err(|error| fail(ReadErrorKind::Resources(error)))?;
    let (list, thresholds) = match json {
        Value::Object(mut object) => (object.remove("resources"), object.remove("thresholds")),
        list => (Some(list), None),
    };
    let thresholds: Option<Thresholds> = thresholds
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| fail(ReadErrorKind::Resources(error)))?;
    let list: Vec<Value> = serde_json::from_value(list.unwrap_or_else(|| Value::Array(Vec::new())))
        .map_err(|error| fail(ReadErrorKind::Resources(error)))?;
    if list.len() > RESOURCES_MAX {
        return Err(fail(ReadErrorKind::TooMany {
            what: "resources",
            limit: RESOURCES_MAX,
        }));
    }
    let name = file.file_name().map_or_else(
        || file.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let resources = list.iter().enumerate().map(|(place, value)| {
        let pointer = format!("/resources/{place}");
        let resource =
            resource_of(value, &pointer).map_err(|error| fail(ReadErrorKind::Resource(error)))?;
        Ok(resource.from_source(format!("{name}{pointer}")))
    });
    Ok(Gathered {
        resources: resources.collect::<Result<_, ReadError>>()?,
        thresholds,
        ..Gathered::default()
    })
}

/// The resources of an incident's folder, if it has any.
pub(super) fn of_folder(folder: &Path) -> Result<Option<Gathered>, ReadError> {
    let file = folder.join("resources.json");
    match file.exists() {
        true => read_resources(&file).map(Some),
        false => Ok(None),
    }
}
