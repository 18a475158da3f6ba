//! How many entries a page is asked to hold.

use crate::api::{Call, ErrorKind, Page};

/// What the service's present model allows at most.
pub const LARGE: u16 = 100;
/// What its older one allowed, and endpoints that follow it still do.
pub const SMALL: u16 = 25;

/// The page size of one target and region: large until that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum PageSize {
    #[default]
    Large,
    /// A large page was refused; whether for its size, the same request for a small one tells.
    Trying(Call),
    Small,
}

impl PageSize {
    pub(super) fn get(&self) -> u16 {
        match self {
            Self::Large => LARGE,
            Self::Trying(_) | Self::Small => SMALL,
        }
    }

    /// The call is not made again: what it was to tell of the size, another call tells.
    pub(super) fn forget(&mut self, call: &Call) {
        if *self == Self::Trying(call.clone()) {
            *self = Self::Large;
        }
    }

    /// Learns from an answer. Returns whether the same is to be asked for again, as a small page.
    pub(super) fn refused(&mut self, call: &Call, page: &Page, failure: Option<ErrorKind>) -> bool {
        match (&*self, failure) {
            (Self::Large, Some(ErrorKind::Client)) if page.token.is_none() => {
                *self = Self::Trying(call.clone());
                true
            }
            (Self::Trying(tried), Some(ErrorKind::Client))
                if page.size == SMALL && tried == call =>
            {
                *self = Self::Large;
                false
            }
            (Self::Trying(tried), None) if page.size == SMALL && tried == call => {
                *self = Self::Small;
                false
            }
            // Of several large pages that were under way together, each is asked for again.
            (Self::Trying(_) | Self::Small, Some(ErrorKind::Client)) => page.size == LARGE,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Account;

    fn images() -> Call {
        Call::ListImageBuildVersions(Account)
    }

    fn pipelines() -> Call {
        Call::ListImagePipelines(Account)
    }

    fn page(size: u16) -> Page {
        Page { size, token: None }
    }

    #[test]
    fn size_that_was_refused_is_not_asked_for_again() {
        let mut size = PageSize::default();
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&images(), &page(25), None));
        assert!(!size.refused(&images(), &page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
    }

    #[test]
    fn small_page_of_another_call_tells_nothing_about_the_size() {
        let mut size = PageSize::default();
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&pipelines(), &page(25), None));
        assert!(!size.refused(&images(), &page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 100);
    }

    #[test]
    fn refusal_for_another_reason_leaves_the_size() {
        let mut size = PageSize::default();
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&images(), &page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 100);
        assert!(!size.refused(&images(), &page(100), Some(ErrorKind::Server)));
        assert_eq!(size.get(), 100);
    }
}
