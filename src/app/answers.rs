//! Answers on their way to their callers, piece by piece, and given up where nobody takes them.
//!
//! HTTP/2 has room for each answer apart, and says nothing of a peer that gives none but answers its pings: hyper waits for
//! ever, with the answer in memory. And as soon as there is room for a byte it hands over all that a body gives at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::api::traffic::occupancy::Use;
use crate::api::traffic::untaken::Untaken;

/// Most bytes of an answer that HTTP/2 is handed at once: a frame. So much of it stays in memory where its peer takes less.
const PIECE_BYTES: usize = 16 * 1024;
/// Longest time for which a peer of HTTP/2 takes nothing of an answer: longer than a watch waits, which ends with a word.
const UNTAKEN_TIME: Duration = Duration::from_secs(75);
/// Time between two looks whether that is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// What was offered of the answer that this task sends.
    static OFFER: Arc<Offer>;
}

/// A piece of an answer that was handed out and is not taken yet.
#[derive(Debug, Default)]
struct Offer(Mutex<Option<Piece>>);

#[derive(Debug, Clone, Copy)]
struct Piece {
    since: Instant,
    /// Whether it is of an answer that counts as waiting.
    counts: bool,
}

impl Offer {
    /// Waits until a piece was not taken for too long. Has to be asked whenever the task that sends the answer has done
    /// something, for by that alone an offer begins or ends.
    async fn spoils(&self, untaken: &Untaken) {
        let mut look = pin!(sleep(LOOK_EVERY));
        poll_fn(|context| {
            loop {
                let Some(piece) = *self.0.lock() else { return Poll::Pending };
                let patience = if piece.counts { untaken.patience(UNTAKEN_TIME) } else { UNTAKEN_TIME };
                if piece.since.elapsed() >= patience {
                    return Poll::Ready(());
                }
                ready!(look.as_mut().poll(context));
                look.as_mut().reset(Instant::now() + LOOK_EVERY);
            }
        })
        .await;
    }
}

/// Runs the streams of HTTP/2, each until it is answered, or until nobody takes its answer: then it is reset, and its
/// connection goes on.
#[derive(Debug, Clone)]
pub(super) struct Streams(pub(super) Arc<Untaken>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let untaken = Arc::clone(&self.0);
        tokio::spawn(async move {
            let offer = Arc::new(Offer::default());
            tokio::select! {
                biased;
                () = OFFER.scope(Arc::clone(&offer), stream) => {}
                () = offer.spoils(&untaken) => debug!("an answer was given up: nobody takes it"),
            }
        });
    }
}

/// The body of an answer. Its connection is in use until it is dropped.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    /// What the body gave and was not handed out.
    rest: Bytes,
    /// None where the connection's own limits hold, as of HTTP/1.
    offer: Option<Arc<Offer>>,
    untaken: Arc<Untaken>,
    under_way: Use,
}

impl Answer {
    /// The answer that is sent by the task that asks.
    pub(super) fn new(body: Body, untaken: Arc<Untaken>, under_way: Use) -> Self {
        let offer = OFFER.try_with(Arc::clone).ok();
        Self { body, rest: Bytes::new(), offer, untaken, under_way }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(offer) = &this.offer {
            // Who asks for more has handed on what there was.
            *offer.0.lock() = None;
        }
        // What anybody may have never makes a crowd, and is not given up for one.
        let counts = this.under_way.needs_it();
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(bytes) => this.rest = if counts { this.untaken.count(bytes) } else { bytes },
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let length = match &this.offer {
            Some(offer) => {
                *offer.0.lock() = Some(Piece { since: Instant::now(), counts });
                this.rest.len().min(if counts { this.untaken.piece_bytes(PIECE_BYTES) } else { PIECE_BYTES })
            }
            None => this.rest.len(),
        };
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;
    use tokio::sync::oneshot;
    use tokio::time::advance;

    use super::*;
    use crate::api::traffic::occupancy::Occupancy;

    const LENGTH: usize = 3 * PIECE_BYTES + 1;

    fn answer(untaken: &Arc<Untaken>) -> Answer {
        Answer::new(Body::from(vec![7; LENGTH]), Arc::clone(untaken), Occupancy::new().begin(true))
    }

    /// The next piece.
    async fn piece(answer: &mut Answer) -> Option<Bytes> {
        let frame = poll_fn(|context| Pin::new(&mut *answer).poll_frame(context)).await?;
        Some(frame.unwrap().into_data().unwrap())
    }

    /// Runs this as hyper runs a stream; what is there when it is over, or nothing where it was given up.
    fn run<T: Send + 'static>(
        untaken: &Arc<Untaken>,
        stream: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, over) = oneshot::channel();
        Streams(Arc::clone(untaken)).execute(async move {
            let _ = done.send(stream.await);
        });
        over
    }

    #[tokio::test]
    async fn an_answer_is_handed_out_in_pieces_and_counted_until_they_are_gone() {
        let untaken = Arc::new(Untaken::default());
        let own = Arc::clone(&untaken);
        let pieces = run(&untaken, async move {
            let mut answer = answer(&own);
            assert_eq!(answer.size_hint().exact(), Some(LENGTH as u64));
            let mut pieces = Vec::new();
            while let Some(piece) = piece(&mut answer).await {
                pieces.push(piece);
                let left = LENGTH - pieces.iter().map(Bytes::len).sum::<usize>();
                assert_eq!((answer.size_hint().exact(), answer.is_end_stream()), (Some(left as u64), left == 0));
            }
            pieces
        });
        let pieces = pieces.await.unwrap();
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 1]);
        assert!(pieces.concat().iter().all(|byte| *byte == 7));
        let counted = format!("{untaken:?}");
        assert!(counted.contains(&LENGTH.to_string()), "{counted}");
        drop(pieces);
        assert_eq!(format!("{untaken:?}"), format!("{:?}", Untaken::default()));
    }

    #[tokio::test]
    async fn of_http_1_an_answer_is_handed_out_as_it_is() {
        let mut answer = answer(&Arc::default());
        assert_eq!(piece(&mut answer).await.unwrap().len(), LENGTH);
        assert!(answer.is_end_stream());
    }

    /// An answer that a peer gave no room for stayed in memory for as long as its connection answered pings.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let untaken = Arc::new(Untaken::default());
        let own = Arc::clone(&untaken);
        let begun = Instant::now();
        let over = run(&untaken, async move {
            let mut answer = answer(&own);
            let _first = piece(&mut answer).await;
            // No room for it.
            std::future::pending::<()>().await;
        });
        assert!(over.await.is_err(), "given up");
        assert!((UNTAKEN_TIME..UNTAKEN_TIME * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(format!("{untaken:?}"), format!("{:?}", Untaken::default()), "nothing of it is in memory");
    }

    /// Who has no credential brought about that answers of those who have one were given up early.
    #[tokio::test(start_paused = true)]
    async fn what_anybody_may_have_makes_no_crowd_and_is_not_given_up_for_one() {
        let untaken = Arc::new(Untaken::default());
        // Never touched, so the system has to find no memory for it.
        let many = || Bytes::from(vec![0; 257 * 1024 * 1024]);
        let usual = untaken.patience(UNTAKEN_TIME);
        let mut refused = Occupancy::new().begin(true);
        refused.is_refused();
        for under_way in [Occupancy::new().begin(false), refused] {
            let mut open = Answer::new(Body::from(many()), Arc::clone(&untaken), under_way);
            let _first = piece(&mut open).await;
            assert_eq!(untaken.patience(UNTAKEN_TIME), usual);
        }
        let crowd = untaken.count(many());
        assert!(untaken.patience(UNTAKEN_TIME) < usual);
        let own = Arc::clone(&untaken);
        let begun = Instant::now();
        let over = run(&untaken, async move {
            let body = Body::from(vec![7; LENGTH]);
            let mut open = Answer::new(body, own, Occupancy::new().begin(false));
            assert_eq!(piece(&mut open).await.unwrap().len(), PIECE_BYTES);
            std::future::pending::<()>().await;
        });
        assert!(over.await.is_err(), "given up");
        assert!(begun.elapsed() >= UNTAKEN_TIME, "{:?}", begun.elapsed());
        drop(crowd);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_slowly_or_made_slowly_is_not() {
        let untaken = Arc::new(Untaken::default());
        let own = Arc::clone(&untaken);
        let pieces = run(&untaken, async move {
            let mut answer = answer(&own);
            let mut pieces = 0;
            while piece(&mut answer).await.is_some() {
                pieces += 1;
                sleep(UNTAKEN_TIME / 2).await;
            }
            pieces
        });
        assert_eq!(pieces.await, Ok(4));
        // A call that is long in being answered, and a watch on which nothing happens.
        let own = Arc::clone(&untaken);
        let waited = run(&untaken, async move {
            sleep(UNTAKEN_TIME * 2).await;
            let silent = Body::from_stream(futures_util::stream::pending::<Result<Bytes, axum::Error>>());
            let mut watch = Answer::new(silent, own, Occupancy::new().begin(true));
            tokio::time::timeout(UNTAKEN_TIME * 2, piece(&mut watch)).await.is_err()
        });
        assert_eq!(waited.await, Ok(true));
        advance(UNTAKEN_TIME).await;
    }
}
