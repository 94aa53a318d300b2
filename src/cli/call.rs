//! `waymark call`: any method of the API with JSON, so that nothing that a server does needs a foreign tool.
//!
//! Knows methods and messages by the descriptors in the program alone: a new method needs no word here.

use std::io::Read as _;

use anyhow::{Context as _, bail, ensure};
use futures_util::stream;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::{Request, Status};

use super::client::{ServerArguments, explain};
use super::say;
use crate::api::json;

/// The package that names of services may leave out.
const PACKAGE: &str = "waymark.v1";
/// Longest input that is read, in bytes: more than the server takes in one message.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest answer that is read, in bytes: more than any page holds.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What to call.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The method, such as `SiteService/GetSite`
    #[arg(required_unless_present = "list")]
    method: Option<String>,
    /// The request as JSON; `-` reads it from standard input, where a method takes many one after the other
    #[arg(default_value = "{}")]
    request: String,
    /// Lists the methods with what they take and answer, and calls none
    #[arg(long, conflicts_with = "method")]
    list: bool,
    /// A header to send; may be given several times
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    #[command(flatten)]
    server: ServerArguments,
}

/// Calls it, and prints each answer as one line of JSON.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Some(name) = arguments.method.as_deref().filter(|_| !arguments.list) else { return list() };
    let method = find(name)?;
    let requests = requests(&method, &arguments.request)?;
    let mut request = Request::new(stream::iter(requests));
    for header in &arguments.header {
        let (key, value) = parse_header(header)?;
        request.metadata_mut().insert(key, value);
    }
    let mut grpc = Grpc::new(arguments.server.connect()?).max_decoding_message_size(ANSWER_BYTES_MAX);
    grpc.ready().await.context("the server cannot be reached")?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = PathAndQuery::try_from(path).context("the method has no path")?;
    // On the wire a call with one message is a stream of one.
    let answers = grpc.streaming(request, path, Dynamic(method.output())).await.map_err(|status| explain(&status))?;
    let mut answers = answers.into_inner();
    while let Some(answer) = answers.message().await.map_err(|status| explain(&status))? {
        say(json::of_dynamic(&answer))?;
    }
    Ok(())
}

/// Prints the methods, what they take and what they answer.
fn list() -> anyhow::Result<()> {
    for service in json::pool()?.services() {
        for method in service.methods() {
            let many = |is_stream| if is_stream { "stream " } else { "" };
            let (input, output) = (method.input(), method.output());
            let takes = format!("{}{}", many(method.is_client_streaming()), input.name());
            let answers = format!("{}{}", many(method.is_server_streaming()), output.name());
            say(format_args!("{}/{}\t{takes}\t{answers}", service.name(), method.name()))?;
        }
    }
    Ok(())
}

/// The method of a name with a slash or, as gRPC's tools have it too, a dot.
fn find(name: &str) -> anyhow::Result<MethodDescriptor> {
    let name = name.trim_start_matches('/');
    let (service, method) = name.split_once('/').or_else(|| name.rsplit_once('.')).unwrap_or_default();
    let full = if service.contains('.') { service.to_owned() } else { format!("{PACKAGE}.{service}") };
    let described = json::pool()?.get_service_by_name(&full);
    let found = described.and_then(|service| service.methods().find(|found| found.name() == method));
    found.with_context(|| format!("the API has no method {name}: `waymark call --list` shows what there is"))
}

/// What is sent.
fn requests(method: &MethodDescriptor, text: &str) -> anyhow::Result<Vec<DynamicMessage>> {
    let mut read = String::new();
    if text == "-" {
        std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_string(&mut read).context("standard input")?;
        ensure!(read.len() as u64 <= INPUT_BYTES_MAX, "standard input holds more than {INPUT_BYTES_MAX} bytes");
    }
    let text = if text == "-" { read.as_str() } else { text };
    let values: Vec<Value> =
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().context("the request")?;
    if values.len() != 1 && !method.is_client_streaming() {
        bail!("{} takes one request, got {}", method.name(), values.len());
    }
    let input = method.input();
    values.iter().map(|value| json::read::message(input.clone(), value).context("the request")).collect()
}

fn parse_header(text: &str) -> anyhow::Result<(MetadataKey<Ascii>, MetadataValue<Ascii>)> {
    let (name, value) = text.split_once(':').with_context(|| format!("a header is NAME: VALUE, got {text:?}"))?;
    let name: MetadataKey<Ascii> = name.trim().to_lowercase().parse().context("the name of a header")?;
    ensure!(name.as_str() != "authorization", "the token comes by --token-file or WAYMARK_TOKEN alone");
    Ok((name, value.trim().parse().context("the value of a header")?))
}

/// Messages by their descriptors.
#[derive(Debug, Clone)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(out).map_err(|cause| Status::internal(cause.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), bytes);
        message.map(Some).map_err(|cause| Status::internal(cause.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_by_the_names_that_tools_use() {
        for name in [
            "SiteService/GetSite",
            "waymark.v1.SiteService/GetSite",
            "/waymark.v1.SiteService/GetSite",
            "waymark.v1.SiteService.GetSite",
        ] {
            assert_eq!(find(name).unwrap().full_name(), "waymark.v1.SiteService.GetSite", "{name}");
        }
        for name in
            ["", "GetSite", "SiteService", "SiteService/getSite", "SiteService/GetSite/", "x.SiteService/GetSite"]
        {
            assert!(find(name).unwrap_err().to_string().contains("call --list"), "{name}");
        }
    }

    #[test]
    fn as_many_requests_are_read_as_the_method_takes() {
        let one = find("SiteService/GetSite").unwrap();
        let many = find("MapService/WatchMap").unwrap();
        assert_eq!(requests(&one, "{\"name\": \"x\"}").unwrap().len(), 1);
        assert_eq!(requests(&many, "{} {}\n{}").unwrap().len(), 3);
        for (text, told) in [
            ("{} {}", "takes one request, got 2"),
            ("", "takes one request, got 0"),
            ("{", "the request: EOF"),
            ("{\"nam\": 1}", "nam: GetSiteRequest has no such field"),
        ] {
            let fault = format!("{:#}", requests(&one, text).unwrap_err());
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn headers_are_read_and_no_token_is_one() {
        let (name, value) = parse_header("Waymark-Min-Revision: accounts/acme=7").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("waymark-min-revision", "accounts/acme=7"));
        for text in ["x", "Authorization: Bearer x", "a b: c"] {
            assert!(parse_header(text).is_err(), "{text}");
        }
    }
}
