//! URLs that name several hosts, such as `amqp://user@a:5672,b:5672/vhost`.

/// The parts of a URL of one or more hosts. The text is only cut; a caller parses the URLs that it
/// makes of the parts. Has no `Debug`: the credentials may hold a password.
#[derive(Clone, Copy)]
pub struct HostList<'a> {
    scheme: &'a str,
    credentials: &'a str,
    hosts: &'a str,
    rest: &'a str,
}

impl<'a> HostList<'a> {
    /// Cuts a URL into its parts. Returns `None` without a scheme.
    #[must_use]
    pub fn of(url: &'a str) -> Option<HostList<'a>> {
        let (scheme, after) = url.split_once("://")?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let start = authority.rfind('@').map_or(0, |at| at + 1);
        let (credentials, hosts) = authority.split_at(start);
        Some(HostList { scheme, credentials, hosts, rest })
    }

    /// The text before `://`.
    #[must_use]
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// What follows the hosts: the path, with the slash before it, and the query.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The hosts, each with its port if it has one.
    pub fn hosts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.hosts.split(',').map(str::trim)
    }

    /// The URL of one host, with another scheme and rest.
    #[must_use]
    pub fn url_of(&self, host: &str, scheme: &str, rest: &str) -> String {
        format!("{scheme}://{}{host}{rest}", self.credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_gets_a_url_with_the_credentials_and_the_rest_of_the_list() {
        let cases: [(&str, &[&str]); 5] = [
            ("amqp://h", &["amqp://h"]),
            ("amqp://u:p@a,b:5673/%2f", &["amqp://u:p@a/%2f", "amqp://u:p@b:5673/%2f"]),
            ("amqps://[::1]:1,[::2]/v?x=1", &["amqps://[::1]:1/v?x=1", "amqps://[::2]/v?x=1"]),
            (
                "amqp://u:p@q@a, b?heartbeat=5",
                &["amqp://u:p@q@a?heartbeat=5", "amqp://u:p@q@b?heartbeat=5"],
            ),
            ("redis://:p,w@a/0", &["redis://:p,w@a/0"]),
        ];
        for (url, expected) in cases {
            let list = HostList::of(url).unwrap();
            let urls = list.hosts().map(|host| list.url_of(host, list.scheme(), list.rest()));
            assert_eq!(urls.collect::<Vec<_>>(), expected, "{url}");
        }
        assert!(HostList::of("h:5672").is_none(), "there is no scheme");
    }
}
