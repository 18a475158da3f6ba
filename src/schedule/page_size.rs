//! How many entries a page is asked to hold.

use crate::api::{ErrorKind, Page};

/// What the service's present model allows at most.
const LARGE: u16 = 100;
/// What its older one allowed, and endpoints that follow it still do.
const SMALL: u16 = 25;

/// The page size of one target and region: large until that was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PageSize {
    #[default]
    Large,
    /// A large page was refused; whether for its size, the same request for a small one tells.
    Trying,
    Small,
}

impl PageSize {
    pub(super) fn get(self) -> u16 {
        match self {
            Self::Large => LARGE,
            Self::Trying | Self::Small => SMALL,
        }
    }

    /// Learns from an answer. Returns whether the same is to be asked for again, as a small page.
    pub(super) fn refused(&mut self, page: &Page, failure: Option<ErrorKind>) -> bool {
        match (*self, failure) {
            (Self::Large, Some(ErrorKind::Client)) if page.token.is_none() => {
                *self = Self::Trying;
                true
            }
            (Self::Trying, Some(ErrorKind::Client)) if page.size == SMALL => {
                *self = Self::Large;
                false
            }
            (Self::Trying, None) if page.size == SMALL => {
                *self = Self::Small;
                false
            }
            // Of several large pages that were under way together, each is asked for again.
            (Self::Trying | Self::Small, Some(ErrorKind::Client)) => page.size == LARGE,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: u16) -> Page {
        Page { size, token: None }
    }

    #[test]
    fn size_that_was_refused_is_not_asked_for_again() {
        let mut size = PageSize::default();
        assert!(size.refused(&page(100), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
        assert!(size.refused(&page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&page(25), None));
        assert!(!size.refused(&page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
    }

    #[test]
    fn refusal_for_another_reason_leaves_the_size() {
        let mut size = PageSize::default();
        assert!(size.refused(&page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 100);
        assert!(!size.refused(&page(100), Some(ErrorKind::Server)));
        assert_eq!(size.get(), 100);
    }
}
