//! Everything anew, where commits were lost to this process: records are put over what is there, then what is gone goes.

use std::collections::HashSet;

use super::Live;
use crate::model::id::{AccountId, Revision, SiteId, TokenId};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Resync};

impl Live {
    /// Takes a part in.
    pub(super) fn resync(&self, part: &Resync<'_>) {
        match part {
            Resync::Records(mutations) => self.put_anew(mutations),
            Resync::End { partition, revision, present } => self.end_anew(*partition, *revision, present),
            Resync::Accounts { is_among, present } => {
                let present: HashSet<&str> = present.iter().map(|(account, _)| account.as_str()).collect();
                self.accounts.write().retain(|id, _| !is_among(id.as_str()) || present.contains(id.as_str()));
            }
        }
    }

    fn put_anew(&self, mutations: &[Mutation]) {
        for mutation in mutations {
            match &mutation.document {
                Some(Document::Account(account)) => self.apply_account(account),
                Some(Document::Token(token)) => self.tokens.write().put(token),
                Some(Document::Site(site)) => drop(self.apply_site(site)),
                Some(Document::Prefix(prefix)) => self.apply_prefix(mutation, prefix),
                Some(Document::Mail(_)) => self.mails.follow(&mutation.key, true),
                _ => {}
            }
        }
    }

    fn end_anew(&self, partition: Option<&AccountId>, revision: Revision, present: &HashSet<(Kind, String)>) {
        let is_gone = |kind: Kind, id: String| !present.contains(&(kind, id));
        self.tokens.write().retain_of(partition, |token: TokenId| !is_gone(Kind::Token, token.to_string()));
        let Some(account) = partition else { return };
        for (_, id) in self.mails.keys().into_iter().filter(|(of, _)| of == account) {
            if is_gone(Kind::Mail, id.clone()) {
                self.mails.forget(&(account.clone(), id));
            }
        }
        let Some(live) = self.account(account) else { return };
        let sites: Vec<SiteId> = live.map.read().ids();
        let gone = sites.into_iter().filter(|site| is_gone(Kind::Site, site.to_string()));
        for site in gone.collect::<Vec<_>>() {
            self.forget(&Mutation::delete(Key::of(account, Kind::Site, site)));
        }
        let networks = live.prefixes.read().networks();
        for network in networks {
            if is_gone(Kind::Prefix, network.to_string()) {
                live.prefixes.write().remove(&network);
            }
        }
        // Whoever watches is told that it missed something, and whoever comes back that nothing of before is known.
        live.changes.start_at(revision);
    }
}
