//! Requests over HTTP/JSON of every method, by every way that the protos give it, with paths, queries, headers and bodies mutated, through
//! all of the program but its network: whatever comes, the answer is no fault of the server's own, and it comes as it says to be.

use std::collections::HashSet;
use std::fmt::Write as _;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value as Dynamic};
use serde_json::Value;

use super::requests::Maker;
use super::world::{Answer, ROLES, World};
use crate::api::json::{camel, of_dynamic, pool};
use crate::fuzzing::{Mutator, Numbers, Target, mutate_json, sketch};

/// Mutants of a run of the tests: some of each way.
const RUNS: u64 = 10_000;
/// Seeds of each way: the operator's, who gets farthest, and one of each of some other roles.
const SEEDS: usize = 6;
/// Longest address, and longest headers together, in bytes: of what a connection lets through.
const TARGET_BYTES_MAX: usize = 8 * 1024;
const HEADERS_BYTES_MAX: usize = 4 * 1024;
/// Kinds of resources that have to be answered with success at least, or the mutants do not get far.
const GOOD_MIN: usize = 15;

const VERBS: [&[u8]; 9] = [b"GET", b"PUT", b"POST", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"get", b"BREW"];
/// What a client may say beside its request.
const HEADERS: [&str; 16] = [
    "content-type: application/json; charset=utf-8",
    "content-type: text/plain",
    "content-type: application/grpc-web+proto",
    "content-encoding: gzip",
    "content-encoding: identity",
    "content-length: 3",
    "accept: text/html, */*;q=0.1",
    "accept-encoding: gzip, br;q=0.5",
    "grpc-timeout: 1S",
    "grpc-encoding: gzip",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-forwarded-for: 8.8.8.8, 10.0.0.1",
    "x-http-method-override: DELETE",
    "if-none-match: *",
    "origin: https://elsewhere.example",
    "host: a b",
];
/// What means something in an address.
const TARGET_WORDS: [&[u8]; 24] = [
    b"/",
    b"//",
    b":",
    b"?",
    b"&",
    b"=",
    b"%",
    b"%2F",
    b"%3A",
    b"%00",
    b"%FF",
    b"%C3%A9",
    b"+",
    b"*",
    b"-",
    b"..",
    b"~",
    b":undelete",
    b"?filter=status%20%3D%20ONLINE",
    b"&pageSize=2147483648",
    b"&page_token=x",
    b"&updateMask=note,note",
    b"&a.b.c=1",
    b"tiles/0/0/0.mvt",
];
/// What means something in headers.
const HEADER_WORDS: [&[u8]; 8] =
    [b": ", b";", b",", b"\n", b"application/json", b"content-type: ", b"application/grpc", b"\t"];

/// A request, as it is kept between mutants: a byte for who asks, then lines, and the body behind an empty one.
#[derive(Debug, Clone, Default)]
struct Asked {
    role: u8,
    verb: Vec<u8>,
    target: Vec<u8>,
    headers: Vec<u8>,
    body: Vec<u8>,
}

impl Asked {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (role, rest) = bytes.split_first()?;
        let end = rest.windows(2).position(|pair| pair == b"\n\n")?;
        let (head, body) = (&rest[..end], &rest[end + 2..]);
        let (line, headers) = split(head, b'\n');
        let (verb, target) = split(line, b' ');
        let [verb, target, headers, body] = [verb, target, headers, body].map(<[u8]>::to_vec);
        Some(Self { role: *role, verb, target, headers, body })
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { role, verb, target, headers, body } = self;
        let line: &[u8] = if headers.is_empty() { b"" } else { b"\n" };
        [&[*role][..], verb, b" ", target, line, headers, b"\n\n", body].concat()
    }

    /// The request; `None` for what no connection lets through.
    fn request(&self) -> Option<Request<Body>> {
        // `*`, and addresses with a server in them, are for proxies.
        let uri = Uri::try_from(&self.target[..]).ok().filter(|_| self.target.starts_with(b"/"))?;
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = Method::from_bytes(&self.verb).ok()?;
        *request.uri_mut() = uri;
        for line in self.headers.split(|byte| *byte == b'\n') {
            let (name, value) = split(line, b':');
            let name = HeaderName::from_bytes(name).ok();
            let value = HeaderValue::from_bytes(value.trim_ascii()).ok();
            if let Some((name, value)) = name.zip(value) {
                request.headers_mut().append(name, value);
            }
        }
        Some(request)
    }
}

/// What stands before the first of these bytes, and behind it.
fn split(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    }
}

/// Changes one part of a request, or takes one of another.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let Some((mut asked, other)) = Asked::of(bytes).zip(Asked::of(other)) else { return };
    match numbers.below(12) {
        0 => asked.role = u8::try_from(numbers.below(ROLES.len())).unwrap(),
        1 => asked.verb = numbers.one_of::<&[u8]>(&VERBS).to_vec(),
        2 => asked.body = other.body,
        3 => asked.target = other.target,
        4 => asked.headers = numbers.one_of(&HEADERS).as_bytes().to_vec(),
        5 => {
            let headers = Mutator { words: &HEADER_WORDS, bytes_max: HEADERS_BYTES_MAX };
            headers.mutate(&mut asked.headers, &other.headers, numbers);
        }
        6..=8 => {
            let target = Mutator { words: &TARGET_WORDS, bytes_max: TARGET_BYTES_MAX };
            target.mutate(&mut asked.target, &other.target, numbers);
        }
        _ => mutate_json(&mut asked.body, &other.body, numbers),
    }
    *bytes = asked.bytes();
}

/// One way to call a method, as the protos write it.
struct Way {
    verb: String,
    template: String,
    body: String,
}

impl Way {
    fn of(rule: &DynamicMessage) -> Self {
        let text = |name: &str| {
            let value = rule.get_field_by_name(name);
            value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let verbs = ["get", "put", "post", "delete", "patch"];
        let verb = verbs.into_iter().find(|verb| !text(verb).is_empty()).expect("a rule has a verb");
        Self { verb: verb.to_uppercase(), template: text(verb), body: text("body") }
    }

    /// All ways to call a method.
    fn all(pool: &DescriptorPool, method: &MethodDescriptor) -> Vec<Self> {
        let option = pool.get_extension_by_name("google.api.http").expect("the option is compiled in");
        let rule = method.options().get_extension(&option).into_owned();
        let rule = rule.as_message().expect("a rule is a message");
        let added = rule.get_field_by_name("additional_bindings").expect("a rule may add others").into_owned();
        let added = added.as_list().unwrap_or_default().iter().filter_map(Dynamic::as_message);
        std::iter::once(rule).chain(added).map(Self::of).collect()
    }

    /// The request that this message is by this way.
    fn asked(&self, role: usize, mut message: Value, more: &str) -> Asked {
        let (mut target, mut rest) = (String::new(), self.template.as_str());
        while let Some((before, behind)) = rest.split_once('{') {
            let (inside, behind) = behind.split_once('}').expect("a brace is closed");
            let field = inside.split_once('=').map_or(inside, |(field, _)| field);
            target.push_str(before);
            target.push_str(&take(&mut message, field));
            rest = behind;
        }
        target.push_str(rest);
        let body = match self.body.as_str() {
            "" => Value::Null,
            "*" => message.take(),
            field => message.as_object_mut().and_then(|fields| fields.remove(&camel(field))).unwrap_or_default(),
        };
        let mut parameters = String::new();
        write_parameters(&message, "", &mut parameters);
        if !parameters.is_empty() {
            // Each begins with the sign that stands between two of them.
            parameters.replace_range(..1, "?");
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let media_type = if body.is_empty() { "" } else { "content-type: application/json" };
        let headers: Vec<&str> = [media_type, more].into_iter().filter(|line| !line.is_empty()).collect();
        Asked {
            role: u8::try_from(role).expect("few roles"),
            verb: self.verb.clone().into_bytes(),
            target: (target + &parameters).into_bytes(),
            headers: headers.join("\n").into_bytes(),
            body,
        }
    }
}

/// Takes the text at a path of fields out of a message.
fn take(message: &mut Value, path: &str) -> String {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(fields) = message.as_object_mut() else { return String::new() };
    if let Some(rest) = rest {
        return fields.get_mut(&camel(first)).map(|inner| take(inner, rest)).unwrap_or_default();
    }
    let value = fields.remove(&camel(first)).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Writes what is left of a message as parameters, each with the sign before it.
fn write_parameters(value: &Value, path: &str, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, held) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                write_parameters(held, &path, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| write_parameters(item, path, out)),
        Value::String(text) => {
            let _ = write!(out, "&{path}={}", encoded(text));
        }
        other => {
            let _ = write!(out, "&{path}={other}");
        }
    }
}

/// A text with all but letters, digits and `-._~` in percent-encoding.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// What of an address tells methods apart: the collections in it, and what is done.
fn kind_of(target: &[u8]) -> String {
    let text = String::from_utf8_lossy(target);
    let path = text.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let action = parts.last().and_then(|last| last.split_once(':')).map_or("", |(_, action)| action);
    let collections = parts.iter().skip(2).step_by(2).map(|part| part.split(':').next().unwrap_or_default());
    format!("{} {action}", collections.collect::<Vec<_>>().join("/"))
}

/// What came of a request, coarsely. Panics where the answer is not as it says, or tells of a fault of the server's own.
fn outcome(asked: &Asked, answer: &Answer) -> String {
    let status = answer.head.status;
    let request = || format!("{} {}", asked.verb.escape_ascii(), asked.target.escape_ascii());
    let body = String::from_utf8_lossy(&answer.body);
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{}: {body}", request());
    let headers = &answer.head.headers;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = text(header::CONTENT_TYPE) == "application/json" && text(header::CONTENT_ENCODING).is_empty();
    if !is_json || answer.body.is_empty() {
        return format!("{status} {}", text(header::CONTENT_TYPE));
    }
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|why| panic!("{}: {why}: {body}", request()));
    if status.is_success() {
        return format!("{status} {} {}", asked.verb.escape_ascii(), kind_of(&asked.target));
    }
    let error = &told["error"];
    if error.is_null() {
        return format!("{status} of a page");
    }
    assert_eq!(error["code"], status.as_u16(), "{}: {body}", request());
    // Of a method it stands in the details; pages have it beside the message.
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reason = error["reason"].as_str().or_else(|| details.iter().find_map(|one| one["reason"].as_str()));
    assert!(reason.is_some_and(|reason| !reason.is_empty()), "{}: {body}", request());
    format!("{status} {} {}", reason.unwrap_or_default(), sketch(error["message"].as_str().unwrap_or_default()))
}

#[test]
fn no_request_over_http_makes_the_server_fail() {
    let pool = pool().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let mut maker = Maker { names: world.names(), numbers: Numbers::new(2) };
    let mut seeds = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        for way in Way::all(pool, &method) {
            for seed in 0..SEEDS {
                let role = if seed % 2 == 0 { 0 } else { maker.numbers.below(ROLES.len()) };
                let bytes = maker.request(&method.input());
                let message = DynamicMessage::decode(method.input(), bytes.as_slice()).unwrap();
                let more = if seed < SEEDS / 2 { "" } else { *maker.numbers.one_of(&HEADERS) };
                seeds.push(way.asked(role, of_dynamic(&message), more).bytes());
            }
        }
    }
    let outcomes = Target { name: "http/json", seeds, mutate, runs: RUNS, cost: 20 }.run(|mutant| {
        let Some(asked) = Asked::of(mutant) else { return "nothing".to_owned() };
        let Some(request) = asked.request() else { return "no request".to_owned() };
        let answer = runtime.block_on(world.fetch(request, usize::from(asked.role) % ROLES.len()));
        outcome(&asked, &answer)
    });
    let of = |begin: &str| outcomes.iter().filter(|outcome| outcome.starts_with(begin)).collect::<HashSet<_>>();
    let good = of("200 ");
    assert!(good.len() >= GOOD_MIN, "only {} kinds were ever answered: {good:?}", good.len());
    assert!(of("400 ").len() >= GOOD_MIN, "{outcomes:?}");
    runtime.block_on(world.is_well());
}
