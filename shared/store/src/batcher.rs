//! Combines concurrent calls into one call to the store. At a low rate nothing waits: a request
//! that comes alone goes alone; requests that come while a call is under way go together with the
//! next.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// Takes requests. Cheap to clone.
pub struct Batcher<Request, Reply> {
    sender: mpsc::Sender<(Request, oneshot::Sender<Reply>)>,
}

impl<Request, Reply> Clone for Batcher<Request, Reply> {
    fn clone(&self) -> Self {
        Batcher { sender: self.sender.clone() }
    }
}

/// Serves the requests of a [`Batcher`]; a task of its owner runs it.
pub struct BatchDriver<Request, Reply> {
    receiver: mpsc::Receiver<(Request, oneshot::Sender<Reply>)>,
    most: usize,
}

/// The driver is gone: its owner is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down")]
pub struct Closed;

/// Makes a batcher whose calls carry at most `most` requests each.
#[must_use]
pub fn batcher<Request, Reply>(
    most: usize,
) -> (Batcher<Request, Reply>, BatchDriver<Request, Reply>) {
    // A caller waits for its reply, so the bound only limits how many requests queue before callers
    // wait to send.
    let (sender, receiver) = mpsc::channel(most);
    (Batcher { sender }, BatchDriver { receiver, most })
}

impl<Request, Reply> Batcher<Request, Reply> {
    /// Sends a request and waits for its reply.
    pub async fn ask(&self, request: Request) -> Result<Reply, Closed> {
        let (reply, answer) = oneshot::channel();
        self.sender.send((request, reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }
}

impl<Request, Reply> BatchDriver<Request, Reply> {
    /// Calls `serve` with batches of requests until every [`Batcher`] is dropped. `serve` returns
    /// the replies in the order of the requests.
    pub async fn run<Serving>(mut self, mut serve: impl FnMut(Vec<Request>) -> Serving)
    where
        Serving: Future<Output = Vec<Reply>>,
    {
        let mut taken = Vec::with_capacity(self.most);
        while self.receiver.recv_many(&mut taken, self.most).await > 0 {
            // Callers that are ready to send join this batch; it does not wait for others.
            tokio::task::yield_now().await;
            while taken.len() < self.most
                && let Ok(asked) = self.receiver.try_recv()
            {
                taken.push(asked);
            }
            let (requests, replies): (Vec<_>, Vec<_>) = taken.drain(..).unzip();
            for (reply, answer) in replies.into_iter().zip(serve(requests).await) {
                // The caller may have stopped waiting; the call is made all the same.
                let _ = reply.send(answer);
            }
        }
    }
}
