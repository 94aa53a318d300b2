//! Runs a watch for a client that may stop reading: a task of its own sees that, which nobody else would.
//!
//! The task asks for room first and for a message then, so that each message is of the moment at which it is taken. It
//! ends when the client leaves, and ends the watch when its credential or the server does, or when the client takes
//! nothing for too long, although its connection stands; the client finds the reason behind the last message.

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{CHECKED_EVERY, STALLED_MAX, Vigil};
use crate::service::Error;

/// Messages of a watch on their way to its client.
pub type Messages<M> = BoxStream<'static, Result<M, Error>>;

/// The same messages, ended early where the watch has to end.
pub(super) fn drive<M: Send + 'static>(mut vigil: Vigil, mut messages: Messages<M>) -> Messages<M> {
    // A channel has room for 32 at once, of which one is used: for their addresses, and not for messages.
    let (sender, receiver) = mpsc::channel::<Box<M>>(1);
    let (tell, told) = oneshot::channel();
    let ending = vigil.ending.clone();
    tokio::spawn(async move {
        let fault = loop {
            let room = match room(&mut vigil, &sender).await {
                Ok(Some(room)) => room,
                Ok(None) => return,
                Err(fault) => break fault,
            };
            let message = tokio::select! {
                message = messages.next() => message,
                () = sender.closed() => return,
            };
            match message {
                Some(Ok(message)) => room.send(Box::new(message)),
                Some(Err(fault)) => break fault,
                None => break Error::Ending,
            }
        };
        // What the watch holds is free from now on, whether or not anybody reads why.
        drop(messages);
        let _ = tell.send(fault);
    });
    // Without a word the task panicked, unless it went with the server.
    let silence = move || if *ending.borrow() { Error::Ending } else { Error::WatchFailed };
    let end = stream::once(async move { Err(told.await.unwrap_or_else(|_| silence())) });
    let taken = stream::unfold(receiver, |mut receiver| async move { Some((*receiver.recv().await?, receiver)) });
    taken.map(Ok).chain(end).boxed()
}

/// Room for the next message; `None` where the client has left.
async fn room<'a, M>(vigil: &mut Vigil, sender: &'a mpsc::Sender<M>) -> Result<Option<Permit<'a, M>>, Error> {
    let begun = Instant::now();
    loop {
        let room = tokio::select! {
            room = timeout(CHECKED_EVERY, sender.reserve()) => room,
            ending = vigil.ending() => return Err(ending),
        };
        match room {
            Ok(room) => return Ok(room.ok()),
            Err(_) if begun.elapsed() >= STALLED_MAX => return Err(Error::Stalled(STALLED_MAX)),
            Err(_) => vigil.check().map(|_| ())?,
        }
    }
}
