//! Splits lists into pages, and creates the page tokens.

use imagebuilder_model::Timestamp;

use crate::error::{ErrorResponse, invalid};
use crate::random::hash;
use crate::scenario::Pages;

/// The size of a page if the request has none.
const DEFAULT_SIZE: usize = 25;

/// The requested page, not validated.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageRequest {
    pub(crate) max_results: Option<i64>,
    pub(crate) next_token: Option<String>,
}

/// The content of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// The smallest key of the next page.
    from: u64,
    page: u32,
    issued: i64,
}

/// Returns the items of the requested page, and the token of the next.
///
/// # Errors
///
/// An invalid size, or a token of another list or one that has expired.
pub(crate) fn page<T>(
    items: Vec<T>,
    request: &PageRequest,
    pages: &Pages,
    list: u64,
    now: Timestamp,
) -> Result<(Vec<T>, Option<String>), ErrorResponse> {
    let numbered: Vec<_> = (0..).zip(items).collect();
    let (items, token) = page_by(numbered, |item| item.0, request, pages, list, now)?;
    Ok((items.into_iter().map(|(_, item)| item).collect(), token))
}

/// Does the same as [`page`] for items in the order of their keys. An item that appears or
/// disappears between two pages does not move other items to another page.
///
/// # Errors
///
/// The errors of [`page`].
pub(crate) fn page_by<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> u64,
    request: &PageRequest,
    pages: &Pages,
    list: u64,
    now: Timestamp,
) -> Result<(Vec<T>, Option<String>), ErrorResponse> {
    let size = match request.max_results {
        None => DEFAULT_SIZE.min(pages.max_size as usize),
        Some(size) if size >= 1 && size <= i64::from(pages.max_size) => size as usize,
        Some(size) => {
            let most = pages.max_size;
            let message = format!("The value {size} for maxResults is not from 1 to {most}.");
            return Err(invalid(message));
        }
    };
    let cursor = match &request.next_token {
        None => Cursor {
            from: 0,
            page: 0,
            issued: now.millis(),
        },
        Some(token) => open(token, list)
            .filter(|cursor| !is_expired(cursor, pages, now))
            .ok_or_else(|| {
                ErrorResponse::new(
                    "InvalidPaginationTokenException",
                    "The pagination token is not valid or has expired.",
                )
            })?,
    };
    let size = match pages {
        Pages { empty: true, .. } if cursor.page.is_multiple_of(2) => 0,
        Pages { short: true, .. } => 1 + (hash(list, &[cursor.page.into()]) as usize) % size,
        _ => size,
    };
    let from = items.partition_point(|item| key(item) < cursor.from);
    let to = (from + size).min(items.len());
    let token = items.get(to).map(|_| {
        seal(
            Cursor {
                // Not the key of the next item, as another may come before it.
                from: match items[from..to].last() {
                    Some(last) => key(last).saturating_add(1),
                    None => cursor.from,
                },
                page: cursor.page + 1,
                issued: now.millis(),
            },
            list,
        )
    });
    let requested = request.next_token.clone();
    let token = requested.filter(|_| pages.repeated).or(token);
    let items = items.into_iter().skip(from).take(to - from).collect();
    Ok((items, token))
}

fn is_expired(cursor: &Cursor, pages: &Pages, now: Timestamp) -> bool {
    pages
        .token_lifetime
        .is_some_and(|lifetime| now.millis() - cursor.issued >= lifetime.millis())
}

/// Encodes a token as four hexadecimal words: key, page, time, and the check. The first three are
/// masked, so that tokens are opaque.
fn seal(cursor: Cursor, list: u64) -> String {
    let (page, issued) = (u64::from(cursor.page), cursor.issued as u64);
    let check = hash(list, &[cursor.from, page, issued]);
    let [from, page, issued] = [cursor.from, page, issued].map(|word| word ^ hash(check, &[]));
    format!("{from:016x}{page:016x}{issued:016x}{check:016x}")
}

fn open(token: &str, list: u64) -> Option<Cursor> {
    if token.len() != 64 {
        return None;
    }
    let word = |at: usize| u64::from_str_radix(token.get(at..at + 16)?, 16).ok();
    let check = word(48)?;
    let [from, page, issued] = [word(0)?, word(16)?, word(32)?].map(|word| word ^ hash(check, &[]));
    (hash(list, &[from, page, issued]) == check).then_some(Cursor {
        from,
        page: page as u32,
        issued: issued as i64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    const NOW: Timestamp = Timestamp::from_millis(1_788_981_143_418);

    /// Returns the sizes of all pages, and their items.
    fn read(pages: &Pages, max_results: Option<i64>, list: u64) -> (Vec<usize>, Vec<u32>) {
        let (mut sizes, mut read) = (Vec::new(), Vec::new());
        let mut request = PageRequest {
            max_results,
            next_token: None,
        };
        loop {
            let (items, token) = page((0..60).collect(), &request, pages, list, NOW).unwrap();
            sizes.push(items.len());
            read.extend(items);
            match token {
                None => return (sizes, read),
                token => request.next_token = token,
            }
        }
    }

    #[test]
    fn every_item_is_on_exactly_one_page() {
        let all: Vec<u32> = (0..60).collect();
        for (short, empty) in [(false, false), (true, false), (false, true), (true, true)] {
            let pages = Pages {
                short,
                empty,
                ..Pages::default()
            };
            for size in [None, Some(1), Some(7), Some(100)] {
                assert_eq!(read(&pages, size, 1).1, all, "{pages:?} {size:?}");
            }
        }
    }

    #[test]
    fn page_has_the_requested_size_and_by_default_25_items() {
        assert_eq!(read(&Pages::default(), None, 1).0, [25, 25, 10]);
        assert_eq!(read(&Pages::default(), Some(40), 1).0, [40, 20]);
        let empty = Pages {
            empty: true,
            ..Pages::default()
        };
        assert_eq!(read(&empty, Some(40), 1).0, [0, 40, 0, 20]);
    }

    #[test]
    fn item_that_appears_or_disappears_between_pages_does_not_move_others() {
        let pages = Pages::default();
        let read = |items: Vec<u64>, token: Option<String>| {
            let request = PageRequest {
                max_results: Some(2),
                next_token: token,
            };
            page_by(items, |item| *item, &request, &pages, 1, NOW).unwrap()
        };
        let (first, token) = read(vec![10, 20, 30, 40], None);
        assert_eq!(first, [10, 20]);
        assert_eq!(read(vec![20, 30, 40], token.clone()).0, [30, 40]);
        assert_eq!(read(vec![5, 10, 20, 25, 30, 40], token).0, [25, 30]);
    }

    fn error(request: PageRequest, pages: &Pages, later: i64) -> String {
        let now = NOW.plus_millis(later);
        let error = page((0..60).collect::<Vec<u32>>(), &request, pages, 1, now).unwrap_err();
        error.kind
    }

    #[test]
    fn token_of_another_list_and_an_expired_one_are_rejected() {
        let pages = Pages {
            token_lifetime: Some(Span::from_secs(10)),
            ..Pages::default()
        };
        let first = |list| {
            let request = PageRequest::default();
            let items: Vec<u32> = (0..60).collect();
            PageRequest {
                max_results: None,
                next_token: page(items, &request, &pages, list, NOW).unwrap().1,
            }
        };
        let refused = "InvalidPaginationTokenException";
        assert_eq!(error(first(2), &pages, 0), refused);
        assert_eq!(error(first(1), &pages, 10_000), refused);
        let items: Vec<u32> = (0..60).collect();
        assert!(page(items, &first(1), &pages, 1, NOW).is_ok());
    }

    #[test]
    fn size_out_of_range_is_rejected() {
        let pages = Pages {
            max_size: 25,
            ..Pages::default()
        };
        for size in [-1, 0, 26] {
            let request = PageRequest {
                max_results: Some(size),
                next_token: None,
            };
            assert_eq!(error(request, &pages, 0), "InvalidRequestException");
        }
    }
}
