//! Which HTTP method and path is which method of gRPC: as the protos say by `google.api.http`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use http::{Method, Uri};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};
use tracing::error;

use super::template::{Captured, Template};
use crate::api::json::pool;

/// The option of methods.
const OPTION: &str = "google.api.http";
/// What a rule calls the methods of HTTP.
static PATTERNS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("patch", Method::PATCH),
];

/// One way to call a method.
#[derive(Debug)]
pub(in crate::api) struct Binding {
    /// The method of HTTP.
    pub(in crate::api) verb: Method,
    /// The path.
    pub(in crate::api) template: Template,
    /// The same as the protos write it.
    pub(in crate::api) route: String,
    /// What the body is.
    pub(in crate::api) body: Mapping,
    /// The method of gRPC.
    pub(in crate::api) method: MethodDescriptor,
    /// Its path.
    pub(super) target: Uri,
    /// 0 for the method's first way, then the others.
    pub(in crate::api) number: usize,
}

/// What a body holds.
#[derive(Debug)]
pub(in crate::api) enum Mapping {
    /// There is none: all fields are in the address.
    Nothing,
    /// All fields that are not in the path.
    Whole,
    /// One field, a message.
    Field(FieldDescriptor),
}

/// What there is for a request.
#[derive(Debug)]
pub(super) enum Found {
    /// A method.
    Binding(&'static Binding, Vec<Captured>),
    /// The path is good, with other methods of HTTP.
    Others(Vec<Method>),
    /// Nothing.
    Nothing,
}

/// All ways to call methods.
#[derive(Debug)]
pub(in crate::api) struct Rules {
    bindings: Vec<Binding>,
    /// Places among the bindings by the length of their paths; those with a verb first, whose last part another one may take too.
    by_length: BTreeMap<usize, Vec<usize>>,
    /// What of the protos is not understood.
    faults: Vec<String>,
}

impl Rules {
    /// Those of the protos.
    pub(in crate::api) fn all() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| {
            let rules = pool().map_or_else(|fault| Self::of(Vec::new(), vec![fault.to_string()]), Self::read);
            for fault in &rules.faults {
                error!(fault, "a method is not served over HTTP/JSON");
            }
            rules
        })
    }

    fn read(pool: &DescriptorPool) -> Self {
        let (mut bindings, mut faults) = (Vec::new(), Vec::new());
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            for (number, rule) in rules_of(pool, &method).iter().enumerate() {
                match binding(&method, rule, number) {
                    Ok(binding) => bindings.push(binding),
                    Err(why) => faults.push(format!("{}: {why}", method.full_name())),
                }
            }
        }
        Self::of(bindings, faults)
    }

    fn of(bindings: Vec<Binding>, faults: Vec<String>) -> Self {
        let mut by_length = BTreeMap::<usize, Vec<usize>>::new();
        for (at, binding) in bindings.iter().enumerate() {
            by_length.entry(binding.template.length()).or_default().push(at);
        }
        for places in by_length.values_mut() {
            places.sort_by_key(|at| bindings[*at].template.verb().is_none());
        }
        Self { bindings, by_length, faults }
    }

    /// All of them, in the order of the protos.
    pub(in crate::api) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What a request is for.
    pub(super) fn find(&'static self, verb: &Method, path: &str) -> Found {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let length = path.split('/').count();
        let Some(places) = self.by_length.get(&length) else { return Found::Nothing };
        let parts: Vec<&str> = path.split('/').collect();
        let mut others = Vec::new();
        for binding in places.iter().map(|at| &self.bindings[*at]) {
            if let Some(captured) = binding.template.captures(&parts) {
                if binding.verb == *verb {
                    return Found::Binding(binding, captured);
                }
                others.push(binding.verb.clone());
            }
        }
        if others.is_empty() { Found::Nothing } else { Found::Others(others) }
    }
}

/// The rules of a method, the first one and those that it adds.
fn rules_of(pool: &DescriptorPool, method: &MethodDescriptor) -> Vec<DynamicMessage> {
    let Some(option) = pool.get_extension_by_name(OPTION) else { return Vec::new() };
    let options = method.options();
    if !options.has_extension(&option) {
        return Vec::new();
    }
    let rule = options.get_extension(&option);
    let Some(rule) = rule.as_message() else { return Vec::new() };
    let added = rule.get_field_by_name("additional_bindings");
    let added = added.as_deref().and_then(Value::as_list).unwrap_or_default();
    [rule].into_iter().chain(added.iter().filter_map(Value::as_message)).cloned().collect()
}

fn binding(method: &MethodDescriptor, rule: &DynamicMessage, number: usize) -> Result<Binding, String> {
    let pattern = PATTERNS.iter().find(|(name, _)| rule.has_field_by_name(name));
    let (name, verb) = pattern.ok_or("a rule has one of get, put, post, delete and patch")?;
    if rule.has_field_by_name("response_body") {
        return Err("answers come whole: response_body is not understood".to_owned());
    }
    let route = text_of(rule, name);
    let template = Template::parse(&route)?;
    let input = method.input();
    for variable in template.variables() {
        is_text_of(&input, &variable.field)?;
    }
    let body = match text_of(rule, "body").as_str() {
        "" => Mapping::Nothing,
        "*" => Mapping::Whole,
        name => Mapping::Field(message_field(&input, name)?),
    };
    let target = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let target = Uri::try_from(target).map_err(|fault| fault.to_string())?;
    Ok(Binding { verb: verb.clone(), template, route, body, method: method.clone(), target, number })
}

fn text_of(rule: &DynamicMessage, name: &str) -> String {
    let value = rule.get_field_by_name(name);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether a path of fields leads to a text.
fn is_text_of(message: &MessageDescriptor, path: &str) -> Result<(), String> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        let field = message.get_field_by_name(first);
        let field = field.filter(|field| !field.is_list() && field.kind() == Kind::String);
        return field.map(|_| ()).ok_or_else(|| format!("{} has no text {first}", message.name()));
    };
    let Kind::Message(inner) = message_field(message, first)?.kind() else {
        return Err(format!("{first} is no message"));
    };
    is_text_of(&inner, rest)
}

fn message_field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    let field = message.get_field_by_name(name);
    let field = field.filter(|field| !field.is_list() && !field.is_map() && matches!(field.kind(), Kind::Message(_)));
    field.ok_or_else(|| format!("{} has no message {name}", message.name()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::template::Part;
    use super::*;
    use crate::api::traffic::{REST_OPEN, Route, is_open};

    /// Methods that are not called over HTTP/JSON, and why.
    const LEFT_OUT: &[(&str, &str)] = &[];

    /// A path of a binding.
    fn example(binding: &Binding) -> String {
        let parts = binding.template.parts().iter().map(|part| match part {
            Part::Literal(literal) => literal.as_str(),
            Part::Any => "x",
        });
        let path = parts.fold(String::new(), |path, part| path + "/" + part);
        binding.template.verb().map_or_else(|| path.clone(), |verb| format!("{path}:{verb}"))
    }

    fn name_of(found: &Found) -> String {
        match found {
            Found::Binding(binding, _) => binding.method.name().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_method_says_how_it_is_called_over_http_or_is_left_out_on_purpose() {
        let rules = Rules::all();
        assert_eq!(rules.faults, Vec::<String>::new());
        let bound: BTreeSet<&str> = rules.bindings.iter().map(|binding| binding.method.full_name()).collect();
        let methods = pool().unwrap().services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut count = 0;
        for method in methods {
            count += 1;
            let is_left_out = LEFT_OUT.iter().any(|(name, _)| *name == method.full_name());
            let is_bound = bound.contains(method.full_name());
            assert!(is_bound != is_left_out, "{}: give it a google.api.http, or say why not", method.full_name());
        }
        assert!(count > 90, "{count}");
    }

    #[test]
    fn each_way_is_found_and_takes_no_other_ones_path() {
        let rules = Rules::all();
        let mut seen = BTreeSet::new();
        for binding in &rules.bindings {
            let path = example(binding);
            assert!(seen.insert((binding.verb.to_string(), path.clone())), "{} {path} stands twice", binding.verb);
            let found = rules.find(&binding.verb, &path);
            assert_eq!(name_of(&found), binding.method.name(), "{} {path}", binding.verb);
            assert_eq!(Route::of(&path), Route::Rest, "{path}");
            assert!(path.starts_with("/v1"), "{path}");
        }
    }

    #[test]
    fn tiles_stay_where_they_are() {
        for path in ["/v1/accounts/a/tiles.json", "/v1/accounts/a/tiles/0/0/0.mvt", "/v1/accounts/a/tiles/0/0/0"] {
            assert!(matches!(Rules::all().find(&Method::GET, path), Found::Nothing), "{path}");
        }
    }

    #[test]
    fn what_needs_no_credential_needs_none_here() {
        let bindings = Rules::all().bindings.iter();
        let open: Vec<String> = bindings.filter(|binding| is_open(binding.method.name())).map(example).collect();
        assert_eq!(open, REST_OPEN);
    }

    #[test]
    fn requests_are_of_methods() {
        let site = "/v1/accounts/a/sites/s";
        for (verb, path, expect) in [
            (Method::GET, site, "GetSite"),
            (Method::PATCH, site, "UpdateSite"),
            (Method::DELETE, site, "DeleteSite"),
            (Method::POST, "/v1/accounts/a/sites/s:undelete", "UndeleteSite"),
            (Method::GET, "/v1/accounts/a/sites", "ListSites"),
            (Method::POST, "/v1/accounts/a/sites", "CreateSite"),
            (Method::GET, "/v1/accounts/a/sites:watch", "WatchSites"),
            (Method::GET, "/v1/accounts", "ListAccounts"),
            (Method::GET, "/v1:whoAmI", "WhoAmI"),
            (Method::GET, "/v1/accounts/a/prefixes/2001:db8::-32", "GetPrefix"),
            (Method::POST, "/v1/tokens/t:revoke", "RevokeToken"),
            (Method::PUT, site, "Others([DELETE, GET, PATCH])"),
            (Method::GET, "/v1/accounts/a/places", "Nothing"),
            (Method::GET, "/v1/accounts/a/sites/s/t/u/v/w/x/y/z", "Nothing"),
        ] {
            let mut found = Rules::all().find(&verb, path);
            if let Found::Others(methods) = &mut found {
                methods.sort_by_key(ToString::to_string);
            }
            assert_eq!(name_of(&found), expect, "{verb} {path}");
        }
    }
}
