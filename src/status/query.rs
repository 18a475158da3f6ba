//! Parses the query of the page's address.

use form_urlencoded::Serializer;
use globset::{GlobBuilder, GlobMatcher};

/// Default number of workflow executions on a page.
const PER_PAGE: usize = 50;
const MOST_PER_PAGE: usize = 500;

/// Maximum number of characters of a parameter.
pub(super) const LONGEST: usize = 256;

/// Values of the parameter `status`: the service's statuses of steps and executions, and four of
/// the exporter's own.
pub(super) const STATUSES: [&str; 12] = [
    "FAILED",
    "RUNNING",
    "PENDING",
    "COMPLETED",
    "SKIPPED",
    "CANCELLED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_COMPLETED",
    SLOW,
    UNSEEN,
    GONE,
    OTHER,
];
/// Steps that run much longer than their last executions.
pub(super) const SLOW: &str = "SLOW";
/// Steps that were never seen.
pub(super) const UNSEEN: &str = "UNSEEN";
/// Steps that the service no longer knows.
pub(super) const GONE: &str = "GONE";
/// Steps and executions with a status that the list lacks.
pub(super) const OTHER: &str = "OTHER";

/// Filters, and the page to render. The default selects everything.
#[derive(Clone, Debug)]
pub struct Query {
    /// Selects these statuses; all if empty.
    pub(super) statuses: Vec<&'static str>,
    /// The text and the matcher of a glob for the image's name.
    pub(super) image: Option<(String, GlobMatcher)>,
    /// The text of the search field.
    pub(super) text: String,
    /// The words of the text in lower case; all must match.
    pub(super) words: Vec<String>,
    /// The one-based number of the page.
    pub(super) page: usize,
    pub(super) per_page: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            image: None,
            text: String::new(),
            words: Vec::new(),
            page: 1,
            per_page: PER_PAGE,
        }
    }
}

impl Query {
    /// Parses the part of an address after the `?`. A parameter without a value is ignored, because
    /// forms send empty fields.
    ///
    /// # Errors
    ///
    /// A line for each invalid parameter, with the valid values.
    pub fn parse(query: &str) -> Result<Self, Vec<String>> {
        let mut read = Self::default();
        let mut faults = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            if value.chars().nth(LONGEST).is_some() {
                faults.push(format!(
                    "the parameter {name:?} is longer than {LONGEST} characters"
                ));
                continue;
            }
            let outcome = match &*name {
                "status" => read.take_statuses(value),
                "image" if !value.is_empty() => read.take_image(value),
                "q" => {
                    read.text = value.to_owned();
                    read.words = { value.split_whitespace() }
                        .map(str::to_lowercase)
                        .collect();
                    Ok(())
                }
                "page" if !value.is_empty() => {
                    number(value, usize::MAX).map(|page| read.page = page)
                }
                "per_page" if !value.is_empty() => {
                    number(value, MOST_PER_PAGE).map(|number| read.per_page = number)
                }
                "image" | "page" | "per_page" => Ok(()),
                _ => Err(
                    "is unknown; valid parameters are status, image, q, page and per_page"
                        .to_owned(),
                ),
            };
            let twice = name != "status" && seen.iter().any(|seen| *seen == name);
            let outcome = match twice {
                true => Err("occurs twice; keep one".to_owned()),
                false => outcome,
            };
            if let Err(fault) = outcome {
                faults.push(format!("the parameter {name:?} {fault}"));
            }
            seen.push(name.into_owned());
        }
        if faults.is_empty() {
            Ok(read)
        } else {
            Err(faults)
        }
    }

    /// Returns the query of an address for another page with the same filters; begins with `?`.
    pub(super) fn address(&self, page: usize) -> String {
        let mut address = Serializer::for_suffix("?".to_owned(), 1);
        for status in &self.statuses {
            address.append_pair("status", status);
        }
        if let Some((image, _)) = &self.image {
            address.append_pair("image", image);
        }
        if !self.text.is_empty() {
            address.append_pair("q", &self.text);
        }
        if self.per_page != PER_PAGE {
            address.append_pair("per_page", &self.per_page.to_string());
        }
        if page > 1 {
            address.append_pair("page", &page.to_string());
        }
        address.finish()
    }

    /// Returns the query of an address that searches for an id.
    pub(super) fn address_of(id: impl ToString) -> String {
        let text = id.to_string();
        Self {
            text,
            ..Self::default()
        }
        .address(1)
    }

    /// Returns whether any filter is set.
    pub(super) fn filters(&self) -> bool {
        !self.statuses.is_empty() || self.image.is_some() || !self.words.is_empty()
    }

    /// Parses one status, or several separated by commas.
    fn take_statuses(&mut self, value: &str) -> Result<(), String> {
        for word in value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let known = STATUSES
                .iter()
                .find(|known| known.eq_ignore_ascii_case(word));
            let Some(known) = known else {
                return Err(format!(
                    "cannot be {word:?}; valid values are {}",
                    STATUSES.join(", ")
                ));
            };
            if !self.statuses.contains(known) {
                self.statuses.push(known);
            }
        }
        Ok(())
    }

    fn take_image(&mut self, value: &str) -> Result<(), String> {
        let glob = GlobBuilder::new(value)
            .case_insensitive(true)
            .backslash_escape(true)
            .build();
        let glob =
            glob.map_err(|error| format!("is not a glob such as golden-*: {}", error.kind()))?;
        self.image = Some((value.to_owned(), glob.compile_matcher()));
        Ok(())
    }
}

fn number(value: &str, most: usize) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ if most == usize::MAX => Err(format!("must be a number, at least 1, not {value:?}")),
        _ => Err(format!("must be a number from 1 to {most}, not {value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_form_selects_everything() {
        for query in ["", "status=&image=&q=", "q=+&page=&per_page="] {
            let read = Query::parse(query).unwrap();
            assert!(!read.filters(), "{query}");
            assert_eq!((read.page, read.per_page), (1, PER_PAGE));
        }
    }

    #[test]
    fn surrounding_spaces_are_ignored() {
        let read = Query::parse("q=++two++words+&image=+golden-*+&status=+FAILED&page=+2").unwrap();
        assert_eq!(read.text, "two  words");
        assert_eq!(read.words, ["two", "words"]);
        assert_eq!(read.image.unwrap().0, "golden-*");
        assert_eq!((read.statuses, read.page), (vec!["FAILED"], 2));
    }

    #[test]
    fn statuses_are_accepted_in_any_case_repeated_or_with_commas() {
        let read = Query::parse("status=failed&status=Running,UNSEEN,failed").unwrap();
        assert_eq!(read.statuses, ["FAILED", "RUNNING", "UNSEEN"]);
    }

    #[test]
    fn every_mistake_is_reported_with_the_valid_values() {
        let faults =
            Query::parse("statsu=FAILED&status=BROKEN&image=%5Ba&page=0&per_page=5000&q=a&q=b&q=");
        assert_eq!(
            faults.unwrap_err(),
            [
                r#"the parameter "statsu" is unknown; valid parameters are status, image, q, page and per_page"#,
                r#"the parameter "status" cannot be "BROKEN"; valid values are FAILED, RUNNING, PENDING, COMPLETED, SKIPPED, CANCELLED, ROLLBACK_IN_PROGRESS, ROLLBACK_COMPLETED, SLOW, UNSEEN, GONE, OTHER"#,
                r#"the parameter "image" is not a glob such as golden-*: unclosed character class; missing ']'"#,
                r#"the parameter "page" must be a number, at least 1, not "0""#,
                r#"the parameter "per_page" must be a number from 1 to 500, not "5000""#,
                r#"the parameter "q" occurs twice; keep one"#,
                r#"the parameter "q" occurs twice; keep one"#,
            ]
        );
        let long = format!("q={}", "x".repeat(LONGEST + 1));
        assert!(Query::parse(&long).unwrap_err()[0].contains("longer than 256 characters"));
    }

    proptest! {
        #[test]
        fn address_is_parsed_to_the_same_query(
            statuses in proptest::sample::subsequence(STATUSES.to_vec(), 0..4),
            image in "[a-z*?-]{0,8}",
            text in "(?s).{0,20}",
            page in 1..9usize,
            per_page in 1..=MOST_PER_PAGE,
        ) {
            let mut query = Query { statuses, page, per_page, ..Query::default() };
            if !image.is_empty() {
                query.take_image(&image).unwrap();
            }
            query.text = text.trim().to_owned();
            let read = Query::parse(&query.address(page)[1..]).unwrap();
            prop_assert_eq!(read.address(page), query.address(page));
            prop_assert_eq!(&read.text, &query.text);
            prop_assert_eq!(&read.statuses, &query.statuses);
            prop_assert_eq!((read.page, read.per_page), (page, per_page));
            prop_assert_eq!(read.image.map(|(text, _)| text).unwrap_or_default(), image);
        }

        #[test]
        fn any_query_is_accepted_or_rejected_with_a_reason(query in "(?s).{0,80}") {
            if let Err(faults) = Query::parse(&query) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}
