//! Everything anew, where commits were lost to this process: records are put over what is there, then what is gone goes.

use std::collections::{BTreeSet, HashSet};

use super::Live;
use crate::model::id::{AccountId, Revision, SiteId, TokenId};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Resync};

impl Live {
    /// Takes a part in.
    pub(super) fn resync(&self, part: &Resync<'_>) {
        match part {
            Resync::Records(mutations) => self.put_anew(mutations),
            Resync::End { partition, revision, present, continues } => {
                self.end_anew(*partition, present);
                if partition.is_none() {
                    self.operator.send_replace(*revision);
                }
                if let Some(live) = partition.and_then(|account| self.account(account)) {
                    // Whoever watches is told that it missed something, and whoever comes back that nothing of before is
                    // known.
                    live.changes.start_at(*revision, *continues);
                }
            }
            Resync::Accounts { is_among, present } => self.end_accounts(*is_among, present),
        }
    }

    fn end_accounts(&self, is_among: &dyn Fn(&str) -> bool, present: &[(String, Revision)]) {
        let present: HashSet<&str> = present.iter().map(|(account, _)| account.as_str()).collect();
        let accounts: Vec<AccountId> =
            self.accounts.read().keys().filter(|id| is_among(id.as_str())).cloned().collect();
        let (there, gone): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|id| present.contains(id.as_str()));
        for account in gone {
            self.end_anew(Some(&account), &HashSet::new());
            let Some(live) = self.accounts.write().remove(&account) else { continue };
            live.changes.start_at(Revision::default(), false);
            // It may be made anew, with revisions that were others.
            self.lost.lock().extend(live.changes.doubtful().map(|last| (account, last)));
        }
        // Runs are not kept in memory: whoever works on them looks for those that began unheard.
        self.runs.may_have_begun(there.into_iter());
    }

    fn put_anew(&self, mutations: &[Mutation]) {
        for mutation in mutations {
            match &mutation.document {
                Some(Document::Account(account)) => self.apply_account(account),
                Some(Document::Token(token)) => self.tokens.write().put(token),
                Some(Document::Site(site)) => drop(self.apply_site(site)),
                Some(Document::Prefix(prefix)) => self.apply_prefix(mutation, prefix),
                Some(Document::Share(share)) => self.shares.put(share),
                Some(Document::Mail(_)) => self.mails.follow(&mutation.key, true),
                _ => {}
            }
        }
    }

    fn end_anew(&self, partition: Option<&AccountId>, present: &HashSet<(Kind, String)>) {
        let is_gone = |kind: Kind, id: String| !present.contains(&(kind, id));
        // Looked for while others read on: each call asks for a token, and as a rule none is gone.
        let mut tokens: Vec<TokenId> = self.tokens.read().ids_of(partition);
        tokens.retain(|token| is_gone(Kind::Token, token.to_string()));
        if !tokens.is_empty() {
            self.tokens.write().forget(partition, &tokens);
        }
        let Some(account) = partition else { return };
        for (_, id) in self.mails.keys().into_iter().filter(|(of, _)| of == account) {
            if is_gone(Kind::Mail, id.clone()) {
                self.mails.forget(&(account.clone(), id));
            }
        }
        self.shares.retain_of(account, |share| !is_gone(Kind::Share, share.to_string()));
        let Some(live) = self.account(account) else { return };
        let sites = live.map.read().ids();
        // Deleted ones are on no map, and some of them still hold what has to be dropped.
        let sites = sites.into_iter().chain(live.waiting.sites()).chain(live.links.behind(None, usize::MAX));
        let gone: BTreeSet<SiteId> = sites.filter(|site| is_gone(Kind::Site, site.to_string())).collect();
        for site in gone {
            self.forget(&Mutation::delete(Key::of(account, Kind::Site, site)));
        }
        let networks = live.prefixes.read().networks();
        for network in networks {
            if is_gone(Kind::Prefix, network.to_string()) {
                live.prefixes.write().remove(&network);
            }
        }
    }
}
