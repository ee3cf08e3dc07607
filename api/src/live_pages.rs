//! The latest content of each page of the web page that is followed. Tabs of one viewer that show
//! the same page share it, so the work does not grow with their number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// A page is made at most once in this time.
const PERIOD: Duration = Duration::from_millis(250);
/// After a page was made, the pause is this many times as long as making it took.
const PAUSES: u32 = 10;
/// How many streams one owner of a token may have open.
const MAX_STREAMS: usize = 64;

/// Which page, and what its viewer may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    /// The path and query of the page.
    pub(crate) url: String,
    /// The owner of the token and its role; empty if no tokens are required.
    pub(crate) viewer: String,
}

/// The pages that are followed, and how many streams each owner has open.
#[derive(Default)]
pub(crate) struct LivePages {
    pages: Mutex<HashMap<PageKey, Weak<LivePage>>>,
    streams: Arc<Mutex<HashMap<String, usize>>>,
}

/// A page that is followed.
#[derive(Default)]
pub(crate) struct LivePage {
    latest: tokio::sync::Mutex<Option<Made>>,
}

struct Made {
    began: Instant,
    took: Duration,
    content: Content,
}

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The markup of its main part.
    Main(Arc<str>),
    /// It cannot be made at present, because the store does not answer.
    Away,
    /// The viewer may not see it.
    Refused,
}

/// The right of an owner to have a stream open. It ends with this value.
pub(crate) struct StreamPermit {
    streams: Arc<Mutex<HashMap<String, usize>>>,
    owner: String,
}

impl LivePages {
    /// Returns a page that may have other followers.
    pub(crate) fn page(&self, key: PageKey) -> Arc<LivePage> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|_, page| page.strong_count() > 0);
        if let Some(page) = pages.get(&key).and_then(Weak::upgrade) {
            return page;
        }
        let page = Arc::new(LivePage::default());
        pages.insert(key, Arc::downgrade(&page));
        page
    }

    /// Returns a permit for another stream of an owner; `None` if it has too many.
    pub(crate) fn permit(&self, owner: &str) -> Option<StreamPermit> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(owner.to_owned()).or_default();
        if *open >= MAX_STREAMS {
            return None;
        }
        *open += 1;
        Some(StreamPermit { streams: Arc::clone(&self.streams), owner: owner.to_owned() })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.owner) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.owner);
            }
        }
    }
}

impl LivePage {
    /// Returns the content as it was at `since` or later. `make` makes it, unless another follower
    /// has.
    pub(crate) async fn content<F>(&self, since: Instant, make: impl FnOnce() -> F) -> Content
    where
        F: Future<Output = Content>,
    {
        let mut latest = self.latest.lock().await;
        if let Some(made) = latest.as_ref() {
            if made.began >= since {
                return made.content.clone();
            }
            tokio::time::sleep_until(made.began + PERIOD.max(made.took * PAUSES)).await;
        }
        let began = Instant::now();
        let content = make().await;
        *latest = Some(Made { began, took: began.elapsed(), content: content.clone() });
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str, viewer: &str) -> PageKey {
        PageKey { url: url.to_owned(), viewer: viewer.to_owned() }
    }

    #[tokio::test]
    async fn followers_of_a_page_share_its_content() {
        let pages = LivePages::default();
        let page = pages.page(key("/", "a"));
        let same = pages.page(key("/", "a"));
        let other = pages.page(key("/", "b"));
        assert!(Arc::ptr_eq(&page, &same) && !Arc::ptr_eq(&page, &other));
        let since = Instant::now();
        let main = |text: &str| Content::Main(text.into());
        let first = page.content(since, || async { main("1") }).await;
        let second = same.content(since, || async { main("2") }).await;
        assert_eq!((first, second), (main("1"), main("1")));
        let later = same.content(Instant::now(), || async { main("3") }).await;
        assert_eq!(later, main("3"));
        drop((page, same));
        pages.page(key("/", "c"));
        assert_eq!(pages.pages.lock().unwrap().len(), 2);
    }

    #[test]
    fn an_owner_has_a_limited_number_of_streams() {
        let pages = LivePages::default();
        let mut permits: Vec<_> = (0..MAX_STREAMS).map(|_| pages.permit("a").unwrap()).collect();
        assert!(pages.permit("a").is_none() && pages.permit("b").is_some());
        permits.pop();
        assert!(pages.permit("a").is_some());
        drop(permits);
        assert!(pages.streams.lock().unwrap().is_empty());
    }
}
