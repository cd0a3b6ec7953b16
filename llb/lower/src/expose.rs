//! Ports of EXPOSE: `[ip:][host:]port[-port][/proto]` (BuildKit's `convert_expose.go`).

/// What one word says. The oddities are known even where it declares no ports.
pub(crate) struct Ports {
    /// Ports as `port/proto`, or why there are none.
    pub ports: Result<Vec<String>, String>,
    /// The protocol is not in lower case.
    pub odd_case: bool,
    /// It has an address or a port of the host, which mean nothing here.
    pub mapped: bool,
}

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Reads one word.
pub(crate) fn ports(word: &str) -> Ports {
    let mut parts: Vec<&str> = word.split(':').collect();
    let container = parts.pop().unwrap_or_default();
    let host = parts.pop().unwrap_or_default();
    let ip = parts.join(":");
    let (port, proto) = container.split_once('/').unwrap_or((container, ""));
    let lower = proto.to_lowercase();
    let name = if proto.is_empty() { "tcp" } else { &lower };
    let none = |why: String| Ports { ports: Err(why), odd_case: false, mapped: false };
    if port.is_empty() {
        return none("it has no port".to_owned());
    }
    if !PROTOCOLS.contains(&name) {
        return none(format!("`{proto}` is no protocol: it is `tcp`, `udp` or `sctp`"));
    }
    Ports {
        ports: check_ip(&ip).and_then(|()| numbers(port, host)).map(|r| r.map(|p| format!("{p}/{name}")).collect()),
        odd_case: proto != lower,
        mapped: !ip.is_empty() || !host.is_empty(),
    }
}

fn check_ip(ip: &str) -> Result<(), String> {
    let bare = match ip.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(|| format!("`{ip}` is no IP address"))?,
        None => ip,
    };
    if bare.is_empty() || bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    Err(format!("`{bare}` is no IP address"))
}

fn numbers(port: &str, host: &str) -> Result<std::ops::RangeInclusive<u16>, String> {
    let (first, last) = range(port)?;
    if !host.is_empty() {
        let (host_first, host_last) = range(host)?;
        if last - first != host_last - host_first && last != first {
            return Err(format!("the ranges `{port}` and `{host}` differ in length"));
        }
    }
    Ok(first..=last)
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |s: &str| {
        // As Go's ParseInt: a sign is allowed, and so -0 is 0.
        s.parse::<i64>()
            .ok()
            .and_then(|n| u16::try_from(n).ok())
            .ok_or_else(|| format!("`{s}` is no port: ports go from 0 to 65535"))
    };
    match text.split_once('-') {
        None => number(text).map(|p| (p, p)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return Err(format!("the range `{text}` ends before it begins"));
            }
            Ok((first, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(word: &str) -> Result<Vec<String>, String> {
        ports(word).ports
    }

    #[test]
    fn words() {
        assert_eq!(all("80").unwrap(), ["80/tcp"]);
        assert_eq!(all("80-82/UDP").unwrap(), ["80/udp", "81/udp", "82/udp"]);
        assert_eq!(all("[::1]:8080:80").unwrap(), ["80/tcp"]);
        assert!(ports("80/UDP").odd_case && ports("1:2").mapped);
        for bad in ["", "a", "80/x", "82-80", "65536", "1.2.3:1:2", "1-2:3-5", "/tcp"] {
            assert!(all(bad).is_err(), "{bad}");
        }
    }
}
