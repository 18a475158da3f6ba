//! The filters of lists.
//!
//! Source: `Filter` of the service's model and its documentation. An entry must match a value of
//! every filter; only `name` has a wildcard, at its end or at both ends.

use serde_json::{Map, Value};

use crate::error::{ErrorResponse, invalid};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters(Vec<Filter>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    name: String,
    values: Vec<String>,
}

/// `FilterList` and `FilterValues` of the model.
const MOST: usize = 10;
const LONGEST: usize = 1024;

impl Filters {
    /// # Errors
    ///
    /// Filters that break the model, or one that the operation does not have.
    pub(crate) fn read(
        members: &Map<String, Value>,
        known: &[&str],
    ) -> Result<Self, ErrorResponse> {
        let filters = match members.get("filters") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Array(filters)) => filters,
            Some(_) => return Err(invalid("The value of filters is not a list.")),
        };
        if !(1..=MOST).contains(&filters.len()) {
            return Err(invalid(format!("There must be 1 to {MOST} filters.")));
        }
        let filters = filters.iter().map(|filter| Filter::read(filter, known));
        Ok(Self(filters.collect::<Result<_, _>>()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|filter| filter.name == name)
    }

    /// `value` returns a member of an entry; an entry without the member does not pass.
    pub(crate) fn pass<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|filter| {
            let value = value(&filter.name);
            value.is_some_and(|value| filter.passes(value))
        })
    }
}

impl Filter {
    fn read(filter: &Value, known: &[&str]) -> Result<Self, ErrorResponse> {
        let name = filter.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| invalid("A filter needs a name."))?;
        if !known.contains(&name) {
            return Err(invalid(format!(
                "The filter name '{name}' is not supported; supported are {}.",
                known.join(", ")
            )));
        }
        let wrong = || {
            invalid(format!(
                "The values of the filter {name} must be 1 to {MOST} texts that match the pattern."
            ))
        };
        let values = filter.get("values").and_then(Value::as_array);
        let values = values.ok_or_else(wrong)?.iter();
        let values = values.map(|value| value.as_str().filter(|text| is_value(text)));
        let values: Option<Vec<_>> = values.map(|value| value.map(str::to_owned)).collect();
        let values = values.filter(|values| (1..=MOST).contains(&values.len()));
        Ok(Self {
            name: name.to_owned(),
            values: values.ok_or_else(wrong)?,
        })
    }

    fn passes(&self, value: &str) -> bool {
        self.values.iter().any(|wanted| match self.name.as_str() {
            "name" => is_like(value, wanted),
            // A build passes by its semantic version as well as with its number.
            "version" => value == wanted || value.split_once('/').is_some_and(|v| v.0 == wanted),
            _ => value == wanted,
        })
    }
}

/// `FilterValue` of the model.
fn is_value(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"./_ :,{}\"*-".contains(&b);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed)
}

/// `web*` begins with it, `*web*` contains it; an asterisk elsewhere is one.
fn is_like(value: &str, wanted: &str) -> bool {
    match (wanted.strip_suffix('*'), wanted.strip_prefix('*')) {
        (Some(_), Some(rest)) => value.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(start), None) => value.starts_with(start),
        _ => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: [&str; 3] = ["name", "version", "status"];

    fn read(filters: Value) -> Result<Filters, ErrorResponse> {
        let members = json!({"filters": filters});
        Filters::read(members.as_object().unwrap(), &KNOWN)
    }

    fn passes(filters: Value) -> bool {
        let filters = read(filters).unwrap();
        filters.pass(|name| match name {
            "name" => Some("Golden Web Image"),
            "version" => Some("1.0.0/7"),
            _ => None,
        })
    }

    #[test]
    fn name_passes_by_equality_by_a_prefix_or_by_a_part() {
        for (value, expected) in [
            ("Golden Web Image", true),
            ("golden web image", false),
            ("Golden", false),
            ("Golden*", true),
            ("*Web*", true),
            ("*Image", false),
            ("*", true),
            ("Gol*Image", false),
        ] {
            let filters = json!([{"name": "name", "values": [value]}]);
            assert_eq!(passes(filters), expected, "{value}");
        }
    }

    #[test]
    fn every_filter_must_be_passed_by_one_of_its_values() {
        let version = json!({"name": "version", "values": ["2.0.0", "1.0.0"]});
        let build = json!({"name": "version", "values": ["1.0.0/7"]});
        let status = json!({"name": "status", "values": ["ENABLED"]});
        assert!(passes(json!([version, build])));
        assert!(!passes(json!([version, status])));
    }

    #[test]
    fn filter_that_breaks_the_model_is_rejected() {
        let good = json!({"name": "name", "values": ["x"]});
        for filters in [
            json!({}),
            json!([]),
            json!(vec![good; 11]),
            json!([{"values": ["x"]}]),
            json!([{"name": "Name", "values": ["x"]}]),
            json!([{"name": "name"}]),
            json!([{"name": "name", "values": []}]),
            json!([{"name": "name", "values": [1]}]),
            json!([{"name": "name", "values": ["a&b"]}]),
        ] {
            let error = read(filters.clone()).unwrap_err();
            assert_eq!(error.kind, "InvalidRequestException", "{filters}");
        }
    }
}
