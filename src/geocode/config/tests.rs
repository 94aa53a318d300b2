//! Which configurations of geocoders are taken, what they mean, and that no key is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// What the text leads to: the names in their order, or the fault.
fn plans(text: &str) -> Result<Vec<Plan>, String> {
    let config: Config = toml::from_str(text).map_err(|cause| cause.to_string())?;
    config.plans().map_err(|cause| cause.to_string())
}

fn order(text: &str) -> Result<Vec<String>, String> {
    let name = |plan: Plan| match plan {
        Plan::Gazetteer(_) => "gazetteer".to_owned(),
        Plan::Remote(remote) => remote.name.to_string(),
    };
    Ok(plans(text)?.into_iter().map(name).collect())
}

fn provider(text: &str) -> Remote {
    let text = format!("user_agent = 'acme'\n[[providers]]\n{text}");
    match plans(&text).unwrap().remove(0) {
        Plan::Remote(remote) => *remote,
        Plan::Gazetteer(_) => panic!("{text}"),
    }
}

#[test]
fn the_order_is_as_written_and_the_gazetteer_last() {
    let check = |text: &str, expect: &[&str]| assert_eq!(order(text).unwrap(), expect, "{text}");
    check("", &[]);
    check("gazetteer = 'g'", &["gazetteer"]);
    check("gazetteer = 'g'\n[[providers]]\nkind = 'photon'", &["photon", "gazetteer"]);
    check(
        "gazetteer = 'g'\n[[providers]]\nkind = 'gazetteer'\n[[providers]]\nkind = 'photon'",
        &["gazetteer", "photon"],
    );
    check("[[providers]]\nkind = 'photon'\nname = 'own'\n[[providers]]\nkind = 'photon'", &["own", "photon"]);
}

#[test]
fn what_is_left_open_is_gentle() {
    let photon = provider("kind = 'photon'");
    assert_eq!((photon.url.as_str(), photon.period), ("https://photon.komoot.io/", Duration::from_secs(1)));
    assert_eq!((photon.time_max, photon.terms.keep), (Duration::from_secs(5), Keep::Unlimited));
    assert!(photon.terms.attribution.contains("OpenStreetMap"));
    let nominatim = provider("kind = 'nominatim'");
    assert!(!nominatim.may_suggest && nominatim.user_agent == "acme");
    let own = provider(
        "kind = 'nominatim'\nurl = 'https://maps.internal'\nrequests_per_s = 50\nsuggest = true\nstore_days = 0",
    );
    assert_eq!((own.period, own.may_suggest, own.terms.keep), (Duration::from_millis(20), true, Keep::Never));
    let days = provider("kind = 'photon'\nstore_days = 30\ncache_s = 7\ncache_empty_s = 0");
    assert_eq!(days.terms.keep, Keep::For(Duration::from_hours(30 * 24)));
    assert_eq!(days.times, Times { found: Duration::from_secs(7), empty: Duration::ZERO });
}

#[test]
fn faults_name_the_key() {
    let check = |text: &str, expect: &str| {
        let fault = order(text).unwrap_err();
        assert!(fault.contains(expect), "{text}: {fault}");
    };
    check("confidence_min = 1.5", "geocode.confidence_min");
    check("confidence_min = nan", "geocode.confidence_min");
    check("providers = [{kind = 'photon'}, {kind = 'photon'}]", "photon: name");
    check("providers = [{kind = 'photon', name = 'gazetteer'}]", "gazetteer: name");
    check("providers = [{kind = 'photon', name = 'a b'}]", "name");
    check("providers = [{kind = 'gazetteer'}]", "geocode.gazetteer");
    check("providers = [{kind = 'photon', timeout_ms = 0}]", "timeout_ms");
    check("providers = [{kind = 'photon', requests_per_s = 0}]", "requests_per_s");
    check("providers = [{kind = 'photon', requests_per_s = inf}]", "requests_per_s");
    check("providers = [{kind = 'photon', suggest = true}]", "suggest");
    check("providers = [{kind = 'photon', key_env = 'CARGO_PKG_NAME'}]", "key");
    check("providers = [{kind = 'opencage'}]", "needs a key");
    check("providers = [{kind = 'opencage', key_env = 'WAYMARK_NO_SUCH_VARIABLE'}]", "not set");
    check("providers = [{kind = 'photon', hue = 1}]", "unknown field `hue`");
    check("providers = [{kind = 'phonon'}]", "unknown variant");
    let many: Vec<String> = (0..8).map(|number| format!("{{kind = 'photon', name = 'p{number}'}}")).collect();
    check(&format!("providers = [{}]", many.join(",")), "geocode.providers");
}

#[test]
fn urls_lead_to_a_host_and_nowhere_else() {
    for bad in [
        "maps",
        "file:///etc/passwd",
        "ftp://maps",
        "https://",
        "https://a:b@maps",
        "https://maps?x=1",
        "https://maps#x",
        "http:",
    ] {
        let fault = order(&format!("providers = [{{kind = 'photon', url = '{bad}'}}]")).unwrap_err();
        assert!(fault.contains("photon: url"), "{bad}: {fault}");
    }
    let key = "kind = 'opencage', key_env = 'CARGO_PKG_NAME'";
    assert!(order(&format!("providers = [{{{key}, url = 'http://maps.example'}}]")).unwrap_err().contains("https"));
    assert!(order(&format!("providers = [{{{key}, url = 'http://127.0.0.1:8080'}}]")).is_ok());
}

/// Addresses of sites went over the wire for all to read because an `s` was missing.
#[test]
fn addresses_travel_in_the_open_where_that_is_said_alone() {
    let taken = |url: &str, more: &str| order(&format!("providers = [{{kind = 'photon', url = '{url}'{more}}}]"));
    let refused = taken("http://maps.example", "").unwrap_err();
    assert!(refused.contains("photon: url") && refused.contains("plain_http"), "{refused}");
    for elsewhere in ["http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "http://[fe80::1]"] {
        assert!(taken(elsewhere, "").is_err(), "{elsewhere}");
        assert!(taken(elsewhere, ", plain_http = false").is_err(), "{elsewhere}");
        assert!(taken(elsewhere, ", plain_http = true").is_ok(), "{elsewhere}");
    }
    for here in ["http://127.0.0.1:1", "http://127.8.8.8", "http://localhost:8080", "http://[::1]:8080"] {
        assert!(taken(here, "").is_ok(), "{here}");
    }
    let key = "kind = 'opencage', plain_http = true, key_env = 'CARGO_PKG_NAME'";
    assert!(order(&format!("providers = [{{{key}, url = 'http://maps.example'}}]")).unwrap_err().contains("a key"));
}

#[test]
fn a_server_is_its_host_by_whatever_protocol() {
    let of = |url: &str| provider(&format!("kind = 'photon'\nplain_http = true\nurl = '{url}'")).server();
    assert_eq!(of("https://maps.example/a"), "maps.example");
    for same in
        ["http://maps.example", "https://MAPS.example.:443/b", "http://maps.example:80", "https://maps.example:80"]
    {
        assert_eq!(of(same), "maps.example", "{same}");
    }
    assert_eq!(of("https://maps.example:8443"), "maps.example:8443");
}

#[test]
fn likeness_is_of_all_but_the_rate() {
    let base = "kind = 'opencage'\nkey_env = 'CARGO_PKG_NAME'\nurl = 'https://maps.example'\n";
    let like = |more: &str| provider(base).is_like(&provider(&format!("{base}{more}")));
    assert!(like("") && like("requests_per_s = 7"));
    for more in
        ["name = 'x'", "timeout_ms = 70", "attribution = 'x'", "store_days = 7", "cache_s = 7", "cache_empty_s = 7"]
    {
        assert!(!like(more), "{more}");
    }
    let other = provider(&base.replace("CARGO_PKG_NAME", "CARGO_PKG_VERSION"));
    assert!(!provider(base).is_like(&other), "another key");
    assert!(!provider(base).is_like(&provider(&base.replace("maps", "other"))), "another server");
}

#[test]
fn the_policy_of_the_public_nominatim_is_held_to() {
    let check = |text: &str, expect: &str| {
        let fault = order(text).unwrap_err();
        assert!(fault.contains(expect), "{text}: {fault}");
    };
    check("providers = [{kind = 'nominatim'}]", "user_agent");
    check("user_agent = 'acme'\nproviders = [{kind = 'nominatim', requests_per_s = 2}]", "requests_per_s");
    check("user_agent = 'acme'\nproviders = [{kind = 'nominatim', suggest = true}]", "suggest");
    let dotted = "user_agent = 'acme'\nproviders = [{kind = 'nominatim', requests_per_s = 2, url = 'https://Nominatim.OpenStreetMap.org.'}]";
    check(dotted, "requests_per_s");
    assert!(order("user_agent = 'acme'\nproviders = [{kind = 'nominatim'}]").is_ok());
}

#[test]
fn a_key_comes_from_a_file_of_its_own_and_is_told_to_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "canary-key\n").unwrap();
    let text = format!("kind = 'opencage'\nkey_file = '{}'", path.display());
    let written = format!("[[providers]]\n{text}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(order(&written).unwrap_err().contains("chmod o-r"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let key = provider(&text).key.unwrap();
    assert_eq!(key.expose_secret(), "canary-key");
    assert!(!format!("{key:?}").contains("canary"));
    fs::write(&path, " \n").unwrap();
    assert!(order(&written).unwrap_err().contains("empty"));
}
