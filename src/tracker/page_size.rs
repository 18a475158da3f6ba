//! The requested number of entries of a page.

use crate::api::{Call, ErrorKind, Page};

/// The maximum of the service's present model.
pub const LARGE: u16 = 100;
/// The maximum of its older model, which some endpoints still follow.
pub const SMALL: u16 = 25;

/// The page size of one target and region: large until that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum PageSize {
    #[default]
    Large,
    /// A large page was refused. The same request for a small page shows whether for its size.
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

    /// The call is not made again: another call has to show whether the size is the reason.
    pub(super) fn forget(&mut self, call: &Call) {
        if *self == Self::Trying(call.clone()) {
            *self = Self::Large;
        }
    }

    /// Applies a response. Returns whether the same page is to be requested again, as a small one.
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
            // Of several large pages that were in flight together, each is requested again.
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
    fn size_that_was_refused_is_not_requested_again() {
        let mut size = PageSize::default();
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
        assert!(size.refused(&images(), &page(100), Some(ErrorKind::Client)));
        assert!(!size.refused(&images(), &page(25), None));
        assert!(!size.refused(&images(), &page(25), Some(ErrorKind::Client)));
        assert_eq!(size.get(), 25);
    }

    #[test]
    fn small_page_of_another_call_decides_nothing_about_the_size() {
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
