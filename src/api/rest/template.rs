//! Templates of paths, as `google.api.http` writes them: `/v1/{name=accounts/*/sites/*}:undelete`.
//!
//! `*` is one part of a path. `**`, which is any number of them, is not taken: nothing of ours has such a name.

use std::ops::Range;

use crate::api::percent::decoded;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Template {
    parts: Vec<Part>,
    variables: Vec<Variable>,
    /// What stands behind the `:`.
    verb: Option<String>,
}

/// What one part of a path has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Part {
    /// This.
    Literal(String),
    /// Anything.
    Any,
}

/// A field of the request that the path has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Variable {
    /// Its path in the request message, as the proto names it: `site.name`.
    pub(in crate::api) field: String,
    /// Where it stands among the parts.
    pub(in crate::api) parts: Range<usize>,
}

/// What a path has for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    /// Path of the field.
    pub(super) field: &'static str,
    /// What stands there; `None` where it is no percent-encoded UTF-8.
    pub(super) text: Option<String>,
}

impl Template {
    /// Reads one, or says what is wrong with it.
    pub(in crate::api) fn parse(text: &str) -> Result<Self, String> {
        let fault = |why: &str| format!("{text}: {why}");
        let (path, verb) = match text.rsplit_once(':') {
            Some((path, verb)) if !verb.contains(['/', '}']) => (path, Some(verb)),
            _ => (text, None),
        };
        if verb.is_some_and(|verb| !is_literal(verb)) {
            return Err(fault("a verb is letters"));
        }
        let mut template = Self { parts: Vec::new(), variables: Vec::new(), verb: verb.map(str::to_owned) };
        let mut rest = path;
        while let Some(behind) = rest.strip_prefix('/') {
            rest = if let Some(inside) = behind.strip_prefix('{') {
                let (inside, behind) = inside.split_once('}').ok_or_else(|| fault("a brace is not closed"))?;
                template.push_variable(inside).map_err(|why| fault(&why))?;
                behind
            } else {
                let end = behind.find('/').unwrap_or(behind.len());
                template.parts.push(part(&behind[..end]).map_err(|why| fault(&why))?);
                &behind[end..]
            };
        }
        if !rest.is_empty() || template.parts.is_empty() {
            return Err(fault("a path is `/` and parts between `/`"));
        }
        Ok(template)
    }

    fn push_variable(&mut self, inside: &str) -> Result<(), String> {
        let (field, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
        if field.is_empty() || !field.split('.').all(is_literal) {
            return Err(format!("{field:?} is no field"));
        }
        let begin = self.parts.len();
        for text in pattern.split('/') {
            self.parts.push(part(text)?);
        }
        self.variables.push(Variable { field: field.to_owned(), parts: begin..self.parts.len() });
        Ok(())
    }

    /// How many parts its paths have.
    pub(super) fn length(&self) -> usize {
        self.parts.len()
    }

    /// Its parts, in order.
    pub(in crate::api) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Its variables, in order.
    pub(in crate::api) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What stands behind the `:`.
    pub(in crate::api) fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// What these parts of a path have for its variables, where they are of this template.
    pub(super) fn captures(&'static self, parts: &[&str]) -> Option<Vec<Captured>> {
        let (&last, before) = parts.split_last()?;
        let last = match &self.verb {
            Some(verb) => last.strip_suffix(verb.as_str())?.strip_suffix(':')?,
            None => last,
        };
        let found = || before.iter().copied().chain([last]);
        let fits = |(wanted, found): (&Part, &str)| match wanted {
            Part::Literal(literal) => literal == found,
            Part::Any => !found.is_empty(),
        };
        if parts.len() != self.parts.len() || !self.parts.iter().zip(found()).all(fits) {
            return None;
        }
        let captured = |variable: &'static Variable| {
            let Range { start, end } = variable.parts;
            let texts: Option<Vec<String>> = found()
                .skip(start)
                .take(end - start)
                .map(|text| {
                    // Of a name of several parts, a slash that is written `%2F` is no end of a part.
                    decoded(text)
                        .map(|decoded| if end - start > 1 && decoded.contains('/') { text.into() } else { decoded })
                })
                .collect();
            Captured { field: &variable.field, text: texts.map(|texts| texts.join("/")) }
        };
        Some(self.variables.iter().map(captured).collect())
    }
}

fn part(text: &str) -> Result<Part, String> {
    match text {
        "*" => Ok(Part::Any),
        text if is_literal(text) => Ok(Part::Literal(text.to_owned())),
        text => Err(format!("{text:?} is no part of a path")),
    }
}

fn is_literal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> &'static Template {
        Box::leak(Box::new(Template::parse(text).unwrap()))
    }

    /// What a path has for a template's variables: `field=text`, with `!` for what cannot be read.
    fn check(text: &str, path: &str, expect: Option<&[&str]>) {
        let parts: Vec<&str> = path.strip_prefix('/').unwrap().split('/').collect();
        let captured = template(text).captures(&parts).map(|captured| {
            let told = |one: Captured| format!("{}={}", one.field, one.text.unwrap_or_else(|| "!".to_owned()));
            captured.into_iter().map(told).collect::<Vec<_>>()
        });
        assert_eq!(
            captured,
            expect.map(|expect| expect.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()),
            "{path}"
        );
    }

    #[test]
    fn paths_have_what_their_template_names() {
        check("/v1/accounts", "/v1/accounts", Some(&[]));
        check("/v1:whoAmI", "/v1:whoAmI", Some(&[]));
        let site = "/v1/{name=accounts/*/sites/*}";
        check(site, "/v1/accounts/a/sites/s", Some(&["name=accounts/a/sites/s"]));
        check(site, "/v1/accounts/a/sites/%C3%A9%20", Some(&["name=accounts/a/sites/é "]));
        check(site, "/v1/accounts/a/sites/s%2Ft", Some(&["name=accounts/a/sites/s%2Ft"]));
        check(site, "/v1/accounts/a/sites/%ff", Some(&["name=!"]));
        let network = "/v1/{name=accounts/*/prefixes/*}";
        check(network, "/v1/accounts/a/prefixes/2001:db8::-32", Some(&["name=accounts/a/prefixes/2001:db8::-32"]));
        let revoke = "/v1/{name=tokens/*}:revoke";
        check(revoke, "/v1/tokens/t:revoke", Some(&["name=tokens/t"]));
        let access = "/v1/{resident_access.name=accounts/*/sites/*/residentAccess}";
        let expect = "resident_access.name=accounts/a/sites/s/residentAccess";
        check(access, "/v1/accounts/a/sites/s/residentAccess", Some(&[expect]));
        let two = "/v1/{connection=a/*}/organizations/{organization_id}/sites";
        check(two, "/v1/a/c/organizations/x%2Fy/sites", Some(&["connection=a/c", "organization_id=x/y"]));
    }

    #[test]
    fn other_paths_are_of_other_templates() {
        let site = "/v1/{name=accounts/*/sites/*}";
        for path in
            ["/v1/accounts/a/sites", "/v1/accounts/a/sites/", "/v1/accounts//sites/s", "/v1/accounts/a/sites/s/t"]
        {
            check(site, path, None);
        }
        for path in ["/v1/tokens/t", "/v1/tokens/:revoke", "/v1/tokens/trevoke", "/v1/tokens/t:revoke:"] {
            check("/v1/{name=tokens/*}:revoke", path, None);
        }
        check("/v1:whoAmI", "/v1", None);
    }

    #[test]
    fn what_is_no_template_says_why() {
        for text in
            ["", "v1", "/", "/v1/", "/v1/**", "/v1/{name", "/v1/{}", "/v1/{name=}", "/v1/{name=a/**}", "/v1/{name}x"]
        {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse("/v1/a:b-c").unwrap_err().contains("a verb is letters"));
    }
}
