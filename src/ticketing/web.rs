//! The web pages of organisations, where people open them: made of a connection's base URL, or of what its system says of
//! its pages, and an id.

use reqwest::Url;

use crate::model::ticketing::System;

/// The page of an organisation. `told` is where the system itself says that its pages are; `None` where neither that nor the
/// base URL tells.
#[must_use]
pub fn page(system: System, base: &Url, told: Option<&Url>, organization: &str) -> Option<String> {
    let host = base.host_str()?;
    let site = |host: &str| {
        let mut url = base.clone();
        url.set_host(Some(host)).ok()?;
        url.set_path("");
        Some(url)
    };
    let (mut url, path) = match system {
        // The API stands on a host of its own beside that of the pages.
        System::ConnectWise => {
            let mut url = site(host.strip_prefix("api-").unwrap_or(host))?;
            url.query_pairs_mut().append_pair("recordType", "CompanyFV").append_pair("recid", organization);
            (url, vec!["v4_6_release", "services", "system_io", "router", "openrecord.rails"])
        }
        System::Autotask => {
            if let Some(zone) = told {
                return autotask_page(zone, organization);
            }
            // `webservices3` serves the zone whose pages are at `ww3`; without a number it only tells zones.
            let zone = host.strip_prefix("webservices")?;
            if !zone.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            return autotask_page(&site(&format!("ww{zone}"))?, organization);
        }
        System::Syncro => (site(host)?, vec!["customers", organization]),
        System::Zendesk => (site(host)?, vec!["agent", "organizations", organization]),
        System::Freshservice => (site(host)?, vec!["itil", "departments", organization]),
        System::Freshdesk => (site(host)?, vec!["a", "companies", organization]),
    };
    url.path_segments_mut().ok()?.clear().extend(path);
    Some(url.into())
}

/// The page of an Autotask company below its zone's pages.
fn autotask_page(zone: &Url, organization: &str) -> Option<String> {
    let mut url = zone.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["Autotask", "AutotaskExtend", "ExecuteCommand.aspx"]);
    url.query_pairs_mut().clear().append_pair("Code", "OpenAccount").append_pair("AccountID", organization);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_stand_where_people_open_them() {
        let page_of = |system: System, base: &str, told: Option<&str>| {
            let told = told.map(|told| Url::parse(told).unwrap());
            page(system, &Url::parse(base).unwrap(), told.as_ref(), "17")
        };
        let check = |system: System, base: &str, expect: Option<&str>| {
            assert_eq!(page_of(system, base, None).as_deref(), expect, "{base}");
        };
        for system in System::ALL {
            let example = system.facts().base_url_example;
            let expect = match system {
                System::ConnectWise => Some(
                    "https://na.myconnectwise.net/v4_6_release/services/system_io/router/openrecord.rails?recordType=CompanyFV&recid=17",
                ),
                System::Autotask => None,
                System::Syncro => Some("https://example.syncromsp.com/customers/17"),
                System::Zendesk => Some("https://example.zendesk.com/agent/organizations/17"),
                System::Freshservice => Some("https://example.freshservice.com/itil/departments/17"),
                System::Freshdesk => Some("https://example.freshdesk.com/a/companies/17"),
            };
            check(system, example, expect);
        }
        check(
            System::Autotask,
            "https://webservices3.autotask.net/atservicesrest",
            Some("https://ww3.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenAccount&AccountID=17"),
        );
        check(System::Autotask, "https://psa.example.com", None);
        for (base, told) in [
            ("https://webservices.autotask.net/atservicesrest", "https://ww14.autotask.net/"),
            ("https://webservices3.autotask.net/atservicesrest", "https://ww14.autotask.net"),
        ] {
            let expect =
                "https://ww14.autotask.net/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenAccount&AccountID=17";
            assert_eq!(page_of(System::Autotask, base, Some(told)).as_deref(), Some(expect), "{base} {told}");
        }
    }
}
