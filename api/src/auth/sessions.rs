//! Sessions of the web page. A session is a random id in a cookie that stands for a token. It ends
//! after a time, at log-out, when its token is deleted, and when the API restarts.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::access_tokens::{AccessTokenEntry, random_password};

/// The longest time that a session lasts.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(12 * 3600);
/// How many sessions a token can have; a further one ends the oldest.
const MAX_OF_TOKEN: usize = 16;
/// How many sessions there can be; a further one ends the oldest.
const MAX_SESSIONS: usize = 4096;

/// The sessions by their ids.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    entry: AccessTokenEntry,
    since: Instant,
}

impl Sessions {
    /// Begins a session and returns its id, 256 random bits.
    pub(super) fn begin(&self, entry: AccessTokenEntry) -> io::Result<String> {
        let id = random_password()?;
        let mut all = self.all();
        all.retain(|_, session| session.since.elapsed() < MAX_AGE);
        let own = all.values().filter(|session| session.entry.owner == entry.owner).count();
        if own >= MAX_OF_TOKEN {
            end_oldest(&mut all, |session| session.entry.owner == entry.owner);
        } else if all.len() >= MAX_SESSIONS {
            end_oldest(&mut all, |_| true);
        }
        all.insert(id.clone(), Session { entry, since: Instant::now() });
        Ok(id)
    }

    /// Returns the token of a session, as it was when the session began.
    pub(super) fn find(&self, id: &str) -> Option<AccessTokenEntry> {
        let all = self.all();
        let session = all.get(id).filter(|session| session.since.elapsed() < MAX_AGE);
        session.map(|session| session.entry.clone())
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str) {
        self.all().remove(id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_oldest(all: &mut HashMap<String, Session>, of: impl Fn(&Session) -> bool) {
    let some = all.iter().filter(|(_, session)| of(session));
    let oldest = some.min_by_key(|(_, session)| session.since).map(|(id, _)| id.clone());
    if let Some(id) = oldest {
        all.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access_tokens::{AccessToken, Role};

    fn entry(owner: &str) -> AccessTokenEntry {
        let secret = AccessToken::random().unwrap();
        AccessTokenEntry::new(owner.parse().unwrap(), Role::Viewer, &secret)
    }

    #[test]
    fn a_session_lasts_until_it_ends() {
        let sessions = Sessions::default();
        let id = sessions.begin(entry("ann")).unwrap();
        assert_eq!(sessions.find(&id).unwrap().owner.as_str(), "ann");
        assert!(sessions.find("").is_none());
        sessions.end(&id);
        assert!(sessions.find(&id).is_none());
    }

    #[test]
    fn an_old_session_is_over() {
        let sessions = Sessions::default();
        let id = sessions.begin(entry("ann")).unwrap();
        let old = Instant::now().checked_sub(MAX_AGE).unwrap();
        sessions.all().get_mut(&id).unwrap().since = old;
        assert!(sessions.find(&id).is_none());
        sessions.begin(entry("ben")).unwrap();
        assert_eq!(sessions.all().len(), 1);
    }

    #[test]
    fn the_number_of_sessions_is_bounded_for_each_token_and_in_all() {
        let sessions = Sessions::default();
        let other = sessions.begin(entry("ben")).unwrap();
        let (ann, begin) = (entry("ann"), |one: &AccessTokenEntry| sessions.begin(one.clone()));
        let first = begin(&ann).unwrap();
        for _ in 0..MAX_OF_TOKEN {
            begin(&ann).unwrap();
        }
        assert!(sessions.find(&first).is_none());
        assert!(sessions.find(&other).is_some());
        assert_eq!(sessions.all().len(), MAX_OF_TOKEN + 1);
        for n in 0..MAX_SESSIONS {
            sessions.begin(entry(&format!("owner{n}"))).unwrap();
        }
        assert!(sessions.find(&other).is_none());
        assert_eq!(sessions.all().len(), MAX_SESSIONS);
    }
}
