//! Keys that let a call be made again: put into requests whose callers gave none, so that a repeat has one effect.

use std::sync::LazyLock;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use uuid::Uuid;

use super::policy::Method;
use crate::api::proto::DESCRIPTORS;

/// Bytes before a message of gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// Bytes of a secret that a caller draws, such as `retry_key`.
const SECRET_BYTES: usize = 32;

/// All that the API is made of.
static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// The framed request, with keys where its method takes some and it has none. One that cannot be read goes as it is: what is
/// wrong with it is for the server to say.
pub(super) fn put(method: &Method, path: &str, framed: Bytes) -> Bytes {
    let Some(field) = &method.key else { return framed };
    with_keys(field, path, &framed).unwrap_or(framed)
}

fn with_keys(field: &str, path: &str, framed: &Bytes) -> Option<Bytes> {
    let (prefix, message) = framed.split_at_checked(PREFIX_BYTES)?;
    if prefix[0] != 0 {
        // Compressed.
        return None;
    }
    let (service, name) = path.trim_start_matches('/').split_once('/')?;
    let service = POOL.as_ref()?.get_service_by_name(service)?;
    let method = service.methods().find(|method| method.name() == name)?;
    let mut message = DynamicMessage::decode(method.input(), message).ok()?;
    fill(&mut message, field)?;
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).ok()?);
    message.encode(&mut framed).ok()?;
    Some(framed.freeze())
}

/// Fills the field at a path that may lead into each message of a list; `None` where no key can be drawn.
fn fill(message: &mut DynamicMessage, path: &str) -> Option<()> {
    let (field, rest) = path.split_once('.').map_or((path, None), |(field, rest)| (field, Some(rest)));
    match (message.get_field_by_name_mut(field)?, rest) {
        (Value::String(text), None) if text.is_empty() => *text = Uuid::now_v7().to_string(),
        (Value::Bytes(secret), None) if secret.is_empty() => {
            let mut drawn = [0; SECRET_BYTES];
            getrandom::fill(&mut drawn).ok()?;
            *secret = Bytes::copy_from_slice(&drawn);
        }
        (Value::List(items), Some(rest)) => {
            for item in items.iter_mut().filter_map(Value::as_message_mut) {
                fill(item, rest)?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::waymark::v1 as pb;
    use crate::client::policy::policy;

    fn framed(message: &impl prost::Message) -> Bytes {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut framed).unwrap();
        framed.freeze()
    }

    fn sent<M: prost::Message + Default>(path: &str, message: &M) -> M {
        let put = put(policy().method(path), path, framed(message));
        assert_eq!(u32::from_be_bytes(put[1..5].try_into().unwrap()) as usize, put.len() - 5, "{path}");
        M::decode(&put[5..]).unwrap()
    }

    #[test]
    fn a_request_without_a_key_gets_one_and_keeps_the_rest() {
        let site = Some(pb::Site { display_name: "Höfn".into(), ..pb::Site::default() });
        let request = pb::CreateSiteRequest { parent: "accounts/acme".into(), site, ..Default::default() };
        let path = "/waymark.v1.SiteService/CreateSite";
        let mut one = sent(path, &request);
        assert!(Uuid::parse_str(&one.request_id).is_ok(), "{:?}", one.request_id);
        assert_ne!(one.request_id, sent(path, &request).request_id, "each call has its own");
        one.request_id.clear();
        assert_eq!(one, request);
    }

    #[test]
    fn a_key_of_the_callers_own_stays() {
        let request =
            pb::RotateTokenRequest { name: "tokens/1".into(), request_id: "mine".into(), ..Default::default() };
        assert_eq!(sent("/waymark.v1.AdminService/RotateToken", &request), request);
    }

    #[test]
    fn each_row_gets_a_key_and_an_invitation_a_secret() {
        let named = pb::SiteRow { request_id: "mine".into(), ..pb::SiteRow::default() };
        let rows = vec![pb::SiteRow::default(), named, pb::SiteRow::default()];
        let request = pb::ImportSitesRequest { rows, ..pb::ImportSitesRequest::default() };
        let keys: Vec<String> = sent("/waymark.v1.ImportService/ImportSites", &request)
            .rows
            .into_iter()
            .map(|row| row.request_id)
            .collect();
        assert_eq!(keys[1], "mine");
        assert!(Uuid::parse_str(&keys[0]).is_ok() && Uuid::parse_str(&keys[2]).is_ok() && keys[0] != keys[2]);
        let request = pb::RedeemInvitationRequest { code: "wmi_x".into(), ..Default::default() };
        let sent = sent("/waymark.v1.ResidentAccessService/RedeemInvitation", &request);
        assert_eq!((sent.retry_key.len(), sent.code.as_str()), (SECRET_BYTES, "wmi_x"));
    }

    #[test]
    fn what_is_no_request_goes_as_it_is() {
        let path = "/waymark.v1.SiteService/CreateSite";
        for bytes in [&b""[..], b"\0\0", b"\0\0\0\0\x01\xff", b"\x01\0\0\0\0"] {
            let bytes = Bytes::from_static(bytes);
            assert_eq!(put(policy().method(path), path, bytes.clone()), bytes);
        }
    }
}
