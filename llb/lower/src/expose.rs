//! Ports of EXPOSE: `[ip:][host:]port[-port][/proto]` (BuildKit's `convert_expose.go`).

/// Ports that one word declares, as `port/proto`.
pub(crate) struct Ports {
    pub ports: Vec<String>,
    /// The protocol is not in lower case.
    pub odd_case: bool,
    /// It has an address or a port of the host, which mean nothing here.
    pub mapped: bool,
}

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Reads one word.
///
/// # Errors
/// Why it declares no ports.
pub(crate) fn ports(word: &str) -> Result<Ports, String> {
    let mut parts: Vec<&str> = word.split(':').collect();
    let container = parts.pop().unwrap_or_default();
    let host = parts.pop().unwrap_or_default();
    let ip = parts.join(":");
    if container.is_empty() {
        return Err("it has no port".to_owned());
    }
    let (port, proto) = container.split_once('/').unwrap_or((container, ""));
    if port.is_empty() {
        return Err("it has no port".to_owned());
    }
    let lower = proto.to_lowercase();
    let proto_name = match lower.as_str() {
        "" => "tcp",
        known if PROTOCOLS.contains(&known) => known,
        _ => return Err(format!("`{proto}` is no protocol: it is `tcp`, `udp` or `sctp`")),
    };
    if !ip.is_empty() {
        let bare = match ip.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(|| format!("`{ip}` is no IP address"))?,
            None => &ip,
        };
        // Go keeps a zone only with SplitHostPort, which is not used for its meaning here.
        if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
            return Err(format!("`{bare}` is no IP address"));
        }
    }
    let (first, last) = range(port)?;
    if !host.is_empty() {
        let (host_first, host_last) = range(host)?;
        if last - first != host_last - host_first && last != first {
            return Err(format!("the ranges `{port}` and `{host}` differ in length"));
        }
    }
    Ok(Ports {
        ports: (first..=last).map(|p| format!("{p}/{proto_name}")).collect(),
        odd_case: !proto.is_empty() && proto != lower,
        mapped: !ip.is_empty() || !host.is_empty(),
    })
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
        ports(word).map(|p| p.ports)
    }

    #[test]
    fn words() {
        assert_eq!(all("80").unwrap(), ["80/tcp"]);
        assert_eq!(all("80-82/UDP").unwrap(), ["80/udp", "81/udp", "82/udp"]);
        assert_eq!(all("[::1]:8080:80").unwrap(), ["80/tcp"]);
        assert!(ports("80/UDP").unwrap().odd_case && ports("1:2").unwrap().mapped);
        for bad in ["", "a", "80/x", "82-80", "65536", "1.2.3:1:2", "1-2:3-5", "/tcp"] {
            assert!(all(bad).is_err(), "{bad}");
        }
    }
}
