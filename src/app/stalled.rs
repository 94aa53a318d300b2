//! A connection whose peer takes nothing for long is given up: it holds a place, and answers in memory.
//!
//! HTTP/2 asks quiet peers whether they live; HTTP/1 knows nothing of the kind, and the system waits for ever for a peer that
//! says it has no room.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::api::traffic::occupancy::Occupancy;
use crate::api::traffic::untaken::Untaken;

/// Longest time for which a peer takes nothing of what is there for it: as long as a quiet one is not asked. Shorter where too
/// much waits to be taken, of a peer that had answers which count.
pub(super) const STALLED_TIME: Duration = Duration::from_secs(30);
/// Time between two looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest wait for the peer's end when a connection is closed: one that is there answers within a round trip.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// Bytes that are read away at once then.
const SCRAP_BYTES: usize = 4 * 1024;

/// A stream that fails when its peer takes nothing for [`STALLED_TIME`], and reads what its peer still says when it is closed: a
/// socket that is closed with something unread resets the connection, and answers that are on their way are lost with it.
#[derive(Debug)]
pub(super) struct Unstalled<S> {
    stream: S,
    untaken: Arc<Untaken>,
    occupancy: Arc<Occupancy>,
    /// The next look at a peer that takes nothing, or the end of the wait for the end of one that was left.
    look: Pin<Box<Sleep>>,
    /// Since when something waits to be taken.
    waiting_since: Option<Instant>,
    /// Whether nothing more is written, so that `look` is of the peer's end.
    is_shut: bool,
}

impl<S> Unstalled<S> {
    pub(super) fn new(stream: S, untaken: Arc<Untaken>, occupancy: Arc<Occupancy>) -> Self {
        let look = Box::pin(sleep(LOOK_EVERY));
        Self { stream, untaken, occupancy, look, waiting_since: None, is_shut: false }
    }

    /// How long its peer may take nothing.
    fn patience(&self) -> Duration {
        if self.occupancy.is_of_a_holder() { self.untaken.patience(STALLED_TIME) } else { STALLED_TIME }
    }

    /// The same answer of a write, or an error where it has waited for too long.
    fn patient<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting_since = None;
            return written;
        }
        let now = Instant::now();
        if self.waiting_since.is_none() {
            self.look.as_mut().reset(now + LOOK_EVERY);
        }
        let since = *self.waiting_since.get_or_insert(now);
        while since.elapsed() < self.patience() {
            ready!(self.look.as_mut().poll(context));
            self.look.as_mut().reset(Instant::now() + LOOK_EVERY);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patient(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.patient(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patient(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            let shut = Pin::new(&mut self.stream).poll_shutdown(context);
            ready!(self.patient(context, shut))?;
            self.is_shut = true;
            self.look.as_mut().reset(Instant::now() + LINGER_TIME);
        }
        // Before reading, which who sends without end would keep up.
        if self.look.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scrap = [0; SCRAP_BYTES];
        loop {
            let mut into = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A page that was asked for and never read held its connection for ever.
    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = Unstalled::new(ours, Arc::default(), Occupancy::new());
        // Quiet for long, and nothing there to be taken: that is no fault.
        tokio::time::advance(STALLED_TIME * 3).await;
        ours.write_all(&[7; 16]).await.unwrap();
        let begun = Instant::now();
        let fault = ours.write_all(&[7; 1]).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        assert!((STALLED_TIME..STALLED_TIME * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(theirs.read(&mut [0; 64]).await.unwrap(), 16, "what was there is there still");
    }

    /// Answers were lost at the end of a server, where pings of their callers had come meanwhile.
    #[tokio::test(start_paused = true)]
    async fn who_is_left_is_heard_to_the_end() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = Unstalled::new(ours, Arc::default(), Occupancy::new());
        let closing = tokio::spawn(async move {
            let begun = Instant::now();
            ours.shutdown().await.unwrap();
            begun.elapsed()
        });
        theirs.write_all(&[7; 160]).await.unwrap();
        assert_eq!(theirs.read(&mut [0; 64]).await.unwrap(), 0, "nothing more is written");
        assert!(!closing.is_finished());
        drop(theirs);
        assert!(closing.await.unwrap() < LINGER_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_end_is_left() {
        let (ours, theirs) = tokio::io::duplex(16);
        let begun = Instant::now();
        Unstalled::new(ours, Arc::default(), Occupancy::new()).shutdown().await.unwrap();
        assert!((LINGER_TIME..LINGER_TIME * 2).contains(&begun.elapsed()));
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_is_served() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = Unstalled::new(ours, Arc::default(), Occupancy::new());
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 160 {
                tokio::time::sleep(STALLED_TIME / 2).await;
                taken += theirs.read(&mut [0; 8]).await.unwrap();
            }
            taken
        });
        ours.write_all(&[7; 160]).await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(reader.await.unwrap(), 160);
    }
}
