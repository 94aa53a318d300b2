//! The start: everything that memory holds, read from the store on all cores, and built on all cores.
//!
//! Each thread makes entries of the rows that it reads, and gathers them by account in a part of its own; when all is
//! read, the accounts' maps are built, the largest first.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::info;

use super::entry::{entry_of, hide_expired};
use super::links::{End, ends_of};
use super::tokens::Kept;
use super::waiting::Waiting;
use super::{Live, LiveAccount};
use crate::model::access::Account;
use crate::model::id::{AccountId, SiteId, TokenId};
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::store::{Error, Kind, Loaded, Store, Visit, faults};

/// Sites between two lines of progress.
const PROGRESS_EVERY: usize = 250_000;
/// Things that the first chunk of an account has room for, and most that one has.
const CHUNK_MIN: usize = 4;
const CHUNK_MAX: usize = 4_096;
/// Most threads that load: beyond, they wait for memory and disk.
const THREADS_MAX: usize = 8;

/// Everything that is in the store. Nothing may be committed meanwhile.
///
/// A site that cannot be read is left out, and the store tells of it: it must not keep all others from being served. Without an account or
/// a token nobody could tell what is missing: one that cannot be read ends the start.
pub(super) async fn load(store: &dyn Store) -> Result<Live, Error> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX));
    let progress = Arc::new(Progress::at(Timestamp::now()));
    let parts: Vec<Arc<Mutex<Part>>> = (0..threads).map(|_| Arc::default()).collect();
    let visits = parts.iter().map(|part| {
        let (part, progress) = (Arc::clone(part), Arc::clone(&progress));
        // Each part is one thread's own: its lock never waits.
        Box::new(move |found: Result<Loaded<'_>, Error>| part.lock().take(found, &progress)) as Visit
    });
    let begun = Instant::now();
    store.load(visits.collect()).await?;
    let read_s = begun.elapsed().as_secs_f64();
    if let Some(cause) = progress.failure.lock().take() {
        return Err(cause);
    }
    let parts: Vec<Part> = parts.iter().map(|part| std::mem::take(&mut *part.lock())).collect();
    let building = tokio::task::spawn_blocking(move || build(parts, threads));
    let (live, sites) = faults::joined(building.await)?;
    let unreadable = progress.unreadable.load(Ordering::Relaxed);
    info!(sites, unreadable, read_s, seconds = begun.elapsed().as_secs_f64(), "the map is whole");
    Ok(live)
}

/// How far all threads are together.
#[derive(Debug)]
struct Progress {
    /// What ended before this is not shown.
    begun: Timestamp,
    sites: AtomicUsize,
    unreadable: AtomicUsize,
    /// The first account or token that could not be read.
    failure: Mutex<Option<Error>>,
}

impl Progress {
    fn at(begun: Timestamp) -> Self {
        Self { begun, sites: AtomicUsize::new(0), unreadable: AtomicUsize::new(0), failure: Mutex::new(None) }
    }

    fn count_site(&self) {
        let sites = self.sites.fetch_add(1, Ordering::Relaxed) + 1;
        if sites.is_multiple_of(PROGRESS_EVERY) {
            info!(sites, "loading the map");
        }
    }

    fn note(&self, cause: Error) {
        if !matches!(cause, Error::Corrupt { kind: Kind::Site, .. }) {
            self.failure.lock().get_or_insert(cause);
            return;
        }
        // The store tells of it, once.
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one thread has read.
#[derive(Debug, Default)]
struct Part {
    accounts: Vec<Account>,
    /// The operator's are those of no account.
    tokens: HashMap<Option<AccountId>, Vec<(TokenId, Kept)>>,
    agent_tokens: HashMap<AccountId, Chunks<(TokenId, Kept)>>,
    entries: HashMap<AccountId, Chunks<Entry>>,
    waiting: HashMap<AccountId, Chunks<(SiteId, Waiting)>>,
    links: HashMap<AccountId, Chunks<(SiteId, Vec<End>)>>,
}

impl Part {
    fn take(&mut self, found: Result<Loaded<'_>, Error>, progress: &Progress) {
        match found {
            Ok(Loaded::Account(account)) => self.accounts.push(account),
            Ok(Loaded::Token(token)) => {
                self.tokens.entry(token.account.clone()).or_default().push((token.id, Kept::of(&token)));
            }
            Ok(Loaded::AgentToken { id, account, token }) => {
                gather(&mut self.agent_tokens, account, (id, Kept::Packed(token)));
            }
            Ok(Loaded::Site(mut site)) => {
                progress.count_site();
                if let Some(waiting) = Waiting::of(&site) {
                    gather(&mut self.waiting, &site.account, (site.id, waiting));
                    hide_expired(&mut site, progress.begun);
                }
                let ends = ends_of(&site);
                if !ends.is_empty() {
                    gather(&mut self.links, &site.account, (site.id, ends));
                }
                if let Some(entry) = entry_of(&site) {
                    gather(&mut self.entries, &site.account, entry);
                }
            }
            Err(cause) => progress.note(cause),
        }
    }
}

/// Things of one account, in chunks: a million in one row would be moved each time that the row grows.
#[derive(Debug)]
struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    fn push(&mut self, thing: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < last.capacity() => last.push(thing),
            _ => {
                let room = self.0.last().map_or(CHUNK_MIN, |last| (last.capacity() * 2).min(CHUNK_MAX));
                let mut chunk = Vec::with_capacity(room);
                chunk.push(thing);
                self.0.push(chunk);
            }
        }
    }

    /// All in one row.
    fn join(self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        self.0.into_iter().for_each(|chunk| all.extend(chunk));
        all
    }
}

/// Puts a thing to the others of its account.
fn gather<T>(all: &mut HashMap<AccountId, Chunks<T>>, account: &str, thing: T) {
    if let Some(things) = all.get_mut(account) {
        things.push(thing);
    } else if let Ok(account) = account.parse() {
        // No account has a malformed id: nobody could ask for the thing.
        all.entry(account).or_default().push(thing);
    }
}

/// Tokens of an account, or of the operator.
type AccountTokens = (Option<AccountId>, Vec<(TokenId, Kept)>);

/// One thing to build.
enum Job {
    Tokens(Vec<AccountTokens>),
    Map(Arc<LiveAccount>, Vec<Vec<Entry>>),
}

impl Job {
    /// How long it takes, in sites.
    fn weight(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.iter().map(|(_, tokens)| tokens.len()).sum(),
            Self::Map(_, parts) => parts.iter().map(Vec::len).sum(),
        }
    }

    fn run(self, live: &Live) {
        match self {
            Self::Tokens(parts) => {
                let mut tokens = live.tokens.write();
                parts.into_iter().for_each(|(account, part)| tokens.extend(account, part));
            }
            Self::Map(account, parts) => {
                let mut entries = Vec::with_capacity(parts.iter().map(Vec::len).sum());
                parts.into_iter().for_each(|part| entries.extend(part));
                *account.map.write() = AccountMap::bulk(entries);
            }
        }
    }
}

/// Builds tokens and maps on `threads` threads, the heaviest first, so that no thread begins with one when the others
/// are done. Answers with the number of sites.
fn build(parts: Vec<Part>, threads: usize) -> (Live, usize) {
    let live = Live::default();
    let (mut tokens, mut entries) = (Vec::new(), HashMap::<AccountId, Vec<Vec<Entry>>>::new());
    let (mut waiting, mut links) = (Vec::new(), Vec::new());
    for part in parts {
        let begun = |account: Account| (account.id.clone(), LiveAccount::new(account, &live.latest));
        live.accounts.write().extend(part.accounts.into_iter().map(begun));
        tokens.extend(part.tokens);
        tokens.extend(part.agent_tokens.into_iter().map(|(account, some)| (Some(account), some.join())));
        part.entries.into_iter().for_each(|(account, some)| entries.entry(account).or_default().extend(some.0));
        waiting.extend(part.waiting);
        links.extend(part.links);
    }
    for (account, some) in waiting {
        if let Some(live) = live.account(&account) {
            live.waiting.extend(some.0.into_iter().flatten());
        }
    }
    for (account, some) in links {
        if let Some(live) = live.account(&account) {
            live.links.extend(some.0.into_iter().flatten());
        }
    }
    let map_of = |(account, parts)| Some(Job::Map(live.account(&account)?, parts));
    let mut jobs: Vec<Job> = entries.into_iter().filter_map(map_of).collect();
    let sites = jobs.iter().map(Job::weight).sum();
    jobs.push(Job::Tokens(tokens));
    jobs.sort_by_key(Job::weight);
    let jobs = Mutex::new(jobs);
    let work = || {
        loop {
            let job = jobs.lock().pop();
            let Some(job) = job else { return };
            job.run(&live);
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    (live, sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_everything_in_its_order_and_are_never_moved() {
        let (mut chunks, all) = (Chunks::default(), 0..10 * CHUNK_MAX);
        let mut first = None;
        for thing in all.clone() {
            chunks.push(thing);
            let at = chunks.0[0].as_ptr();
            assert_eq!(*first.get_or_insert(at), at);
        }
        assert!(chunks.0.iter().all(|chunk| chunk.len() <= CHUNK_MAX), "{}", chunks.0.len());
        assert_eq!(chunks.join(), all.collect::<Vec<_>>());
    }

    #[test]
    fn progress_is_logged_once_for_so_many_sites() {
        let (log, progress) = (tempfile::NamedTempFile::new().unwrap(), Progress::at(Timestamp::UNIX_EPOCH));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.reopen().unwrap()).finish();
        tracing::subscriber::with_default(subscriber, || {
            (0..3 * PROGRESS_EVERY - 1).for_each(|_| progress.count_site());
        });
        let log = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        for (line, sites) in lines.into_iter().zip([PROGRESS_EVERY, 2 * PROGRESS_EVERY]) {
            assert!(line.ends_with(&format!("loading the map sites={sites}")), "{line}");
        }
    }
}
