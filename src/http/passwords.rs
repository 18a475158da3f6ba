//! Checks passwords of basic authentication.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::config::PasswordHash;

/// Results that are kept of right passwords, and of wrong ones: a check takes some 60 milliseconds, and
/// scrapers use few passwords.
const KEPT: usize = 100;

type Users = BTreeMap<String, PasswordHash>;

/// The passwords checked so far.
#[derive(Debug)]
pub(super) struct Passwords {
    results: Mutex<Results>,
    /// Held during a check, so that checks never take more than one processor.
    turn: Arc<Semaphore>,
}

/// The digests of users and passwords, so that no password is kept; the newest last.
#[derive(Debug, Default)]
struct Results {
    right: VecDeque<[u8; 32]>,
    wrong: VecDeque<[u8; 32]>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            results: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Returns whether the request has the name and the password of a user.
    pub(super) async fn accepts(&self, users: &Users, headers: &HeaderMap) -> bool {
        let Some((name, password)) = credentials(headers) else {
            return false;
        };
        let Some((hash, is_known)) = hash_for(users, &name) else {
            return false;
        };
        // A name that becomes known or unknown has another result, also with the same hash.
        let parts = [name.as_bytes(), hash.as_str().as_bytes(), &password];
        let digest = digest(parts.into_iter().chain([&[u8::from(is_known)][..]]));
        if let Some(result) = self.result(&digest) {
            return result;
        }
        let Ok(turn) = self.turn.clone().acquire_owned().await else {
            return false;
        };
        // Another request may have had the same.
        if let Some(result) = self.result(&digest) {
            return result;
        }
        let hash = hash.clone();
        let checking = tokio::task::spawn_blocking(move || {
            // Held to the end, also if the client has disconnected.
            let _turn = turn;
            hash.matches(&password)
        });
        let is_right = checking.await.unwrap_or(false) && is_known;
        self.keep(digest, is_right);
        is_right
    }

    fn result(&self, digest: &[u8; 32]) -> Option<bool> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        match () {
            () if results.right.contains(digest) => Some(true),
            () if results.wrong.contains(digest) => Some(false),
            () => None,
        }
    }

    fn keep(&self, digest: [u8; 32], is_right: bool) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        // Apart, so that guesses do not push out right passwords.
        let kept = match is_right {
            true => &mut results.right,
            false => &mut results.wrong,
        };
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(digest);
    }
}

/// Returns the hash of the user, and whether there is such a user. For another name it is the hash of
/// any user, always the same, so that the check takes as long as for a user.
fn hash_for<'a>(users: &'a Users, name: &str) -> Option<(&'a PasswordHash, bool)> {
    if let Some(hash) = users.get(name) {
        return Some((hash, true));
    }
    let at = usize::from(digest([name.as_bytes()])[0]) % users.len().max(1);
    users.values().nth(at).map(|hash| (hash, false))
}

/// Returns the name and the password of the request.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1);
    decoded.pop();
    Some((String::from_utf8(decoded).ok()?, password))
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
