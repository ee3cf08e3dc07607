//! Calls that are under way at the same time go to the store as one. At a low rate nothing waits: a call that
//! comes alone goes alone; what comes while one is under way goes together with the next.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// Where calls are put in. Cheap to clone.
pub struct Group<Request, Reply> {
    sender: mpsc::Sender<(Request, oneshot::Sender<Reply>)>,
}

impl<Request, Reply> Clone for Group<Request, Reply> {
    fn clone(&self) -> Self {
        Group { sender: self.sender.clone() }
    }
}

/// The other end, to be driven by a task of its owner.
pub struct Driver<Request, Reply> {
    receiver: mpsc::Receiver<(Request, oneshot::Sender<Reply>)>,
    most: usize,
}

/// The group's driver is gone: its owner is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down")]
pub struct Closed;

/// Makes a group whose calls carry at most `most` requests each.
#[must_use]
pub fn group<Request, Reply>(most: usize) -> (Group<Request, Reply>, Driver<Request, Reply>) {
    // Whoever asks waits for the answer, so the bound is only how many may queue before they wait to ask.
    let (sender, receiver) = mpsc::channel(most);
    (Group { sender }, Driver { receiver, most })
}

impl<Request, Reply> Group<Request, Reply> {
    /// Asks, and waits for the answer.
    pub async fn ask(&self, request: Request) -> Result<Reply, Closed> {
        let (reply, answer) = oneshot::channel();
        self.sender.send((request, reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }
}

impl<Request, Reply> Driver<Request, Reply> {
    /// Serves calls with `serve`, which answers each request in order, until every [`Group`] is dropped.
    pub async fn run<Serving>(mut self, mut serve: impl FnMut(Vec<Request>) -> Serving)
    where
        Serving: Future<Output = Vec<Reply>>,
    {
        let mut taken = Vec::with_capacity(self.most);
        while self.receiver.recv_many(&mut taken, self.most).await > 0 {
            // Whoever is ready to ask at this very moment goes along; nobody is waited for.
            tokio::task::yield_now().await;
            while taken.len() < self.most
                && let Ok(asked) = self.receiver.try_recv()
            {
                taken.push(asked);
            }
            let (requests, replies): (Vec<_>, Vec<_>) = taken.drain(..).unzip();
            for (reply, answer) in replies.into_iter().zip(serve(requests).await) {
                // Whoever asked may have gone meanwhile; the call is made all the same.
                let _ = reply.send(answer);
            }
        }
    }
}
