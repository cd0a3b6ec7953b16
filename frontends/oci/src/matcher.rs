//! Choosing among the platforms of an image.

use std::cmp::Reverse;

use crate::Platform;

/// Accepts the platforms that can stand for a wished one, and orders them by how well they do.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Normalised, best first.
    accepted: Vec<Platform>,
}

/// How well a platform fits: the smaller the better. Of equal ranks the first in the index wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(usize, Reverse<usize>);

impl Matcher {
    /// Accepts `wished` and what its processor runs as well: older variants, and the 32-bit architecture.
    pub fn only(wished: &Platform) -> Self {
        let wished = wished.normalize();
        let mut accepted = vec![wished.clone()];
        accepted.extend(
            lesser(&wished.architecture, &wished.variant)
                .into_iter()
                .map(|(architecture, variant)| Platform { architecture, variant, ..wished.clone() }.normalize()),
        );
        Matcher { accepted }
    }

    /// Accepts `wished` alone, however it is spelt.
    pub fn only_strict(wished: &Platform) -> Self {
        Matcher { accepted: vec![wished.normalize()] }
    }

    /// Whether `candidate` can stand for the wished platform.
    pub fn accepts(&self, candidate: &Platform) -> bool {
        self.rank(candidate).is_some()
    }

    /// How well `candidate` stands for the wished platform; none if it cannot.
    pub fn rank(&self, candidate: &Platform) -> Option<Rank> {
        let candidate = candidate.normalize();
        let at = self.accepted.iter().position(|accepted| fits(accepted, &candidate))?;
        Some(Rank(at, Reverse(candidate.os_features.len())))
    }
}

/// Whether the normalised `candidate` runs where the normalised `accepted` is: its features must be among those there.
fn fits(accepted: &Platform, candidate: &Platform) -> bool {
    let windows = accepted.os == "windows";
    accepted.os == candidate.os
        && accepted.architecture == candidate.architecture
        && accepted.variant == candidate.variant
        && (!windows || windows_fits(&accepted.os_version, &candidate.os_version))
        // Older clients ignored this one feature, so images with it run everywhere.
        && candidate.os_features.iter().all(|f| (windows && f == "win32k") || accepted.os_features.contains(f))
}

/// What a processor runs besides its own architecture and variant, best first.
fn lesser(architecture: &str, variant: &str) -> Vec<(String, String)> {
    let down_to = |name: &str, lowest: u8, top: Option<u8>| {
        (lowest..top.unwrap_or(lowest)).rev().map(|v| (name.to_owned(), format!("v{v}"))).collect::<Vec<_>>()
    };
    let version = variant.strip_prefix('v').unwrap_or(variant);
    match architecture {
        "amd64" => {
            let mut all = down_to("amd64", 1, version.parse().ok());
            all.push(("386".to_owned(), String::new()));
            all
        }
        "arm" => down_to("arm", 5, version.parse().ok()),
        "arm64" => {
            let mut all: Vec<_> = arm64_versions(version)
                .into_iter()
                .flat_map(|(major, minor)| (0..=minor).rev().map(move |minor| format!("v{major}.{minor}")))
                .map(|variant| (architecture.to_owned(), variant.trim_end_matches(".0").to_owned()))
                .collect();
            if !all.is_empty() {
                all.extend(down_to("arm", 5, Some(9)));
            }
            all
        }
        _ => Vec::new(),
    }
}

/// The newest version of each generation that a 64-bit ARM processor runs, itself first; ARMv9.n has what ARMv8.(n+5)
/// has. None for versions that do not exist.
fn arm64_versions(version: &str) -> Vec<(u8, u8)> {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major, minor.parse::<u8>()) {
        ("" | "8", Ok(minor @ 0..=9)) => vec![(8, minor)],
        ("9", Ok(minor @ 0..=7)) => vec![(9, minor), (8, (minor + 5).min(9))],
        _ => Vec::new(),
    }
}

/// Whether a Windows of version `host` runs containers made for `guest`. A version that is not known fits.
///
/// Up to Windows Server 2019 the builds must be equal. Since Server 2022 a release runs what was made for it and for any
/// release back to the long-term one before it
/// (<https://learn.microsoft.com/virtualization/windowscontainers/deploy-containers/version-compatibility>).
fn windows_fits(host: &str, guest: &str) -> bool {
    const LTSC_2022: u16 = 20348;
    const LTSC_2025: u16 = 26100;
    let Some((host_version, host_build)) = windows_build(host) else { return true };
    if guest.is_empty() {
        return true;
    }
    let ((version, build), oldest) = (
        windows_build(guest).unwrap_or_default(),
        match host_build {
            ..LTSC_2022 => host_build,
            LTSC_2022..=LTSC_2025 => LTSC_2022,
            _ => LTSC_2025,
        },
    );
    version == host_version && (oldest..=host_build).contains(&build)
}

/// Major and minor version, and the build, of `10.0.20348[.587]`. None if it has not that form, or is all zero.
fn windows_build(version: &str) -> Option<((u8, u8), u16)> {
    let mut parts = version.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let build = parts.next()?.parse().ok()?;
    (major != 0 || minor != 0 || build != 0).then_some(((major, minor), build))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text, &Platform::new("linux", "amd64")).unwrap()
    }

    fn best<'a>(wished: &str, offered: &[&'a str]) -> Option<&'a str> {
        let matcher = Matcher::only(&platform(wished));
        let ranked = offered.iter().filter_map(|o| Some((matcher.rank(&platform(o))?, *o)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, offer)| offer)
    }

    #[test]
    fn the_nearest_older_variant_wins() {
        for (wished, offered, chosen) in [
            ("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"][..], Some("linux/arm/v6")),
            ("linux/arm", &["linux/arm/v6", "linux/armhf"], Some("linux/armhf")),
            ("linux/arm/v6", &["linux/arm/v7"], None),
            ("linux/arm64", &["linux/arm/v7", "linux/arm64/v8"], Some("linux/arm64/v8")),
            ("linux/arm64", &["linux/arm/v7", "linux/amd64"], Some("linux/arm/v7")),
            ("linux/arm64", &["linux/arm64/v8.1"], None),
            ("linux/arm64/v9.2", &["linux/arm64/v8.8", "linux/arm64/v8.7", "linux/arm64"], Some("linux/arm64/v8.7")),
            ("linux/arm64/v9", &["linux/arm64", "linux/arm64/v9.0"], Some("linux/arm64/v9.0")),
            ("linux/arm64/v77", &["linux/arm64"], None),
            ("linux/arm64/v77", &["linux/arm64/v77"], Some("linux/arm64/v77")),
            ("linux/amd64/v3", &["linux/386", "linux/amd64", "linux/amd64/v2"], Some("linux/amd64/v2")),
            ("linux/amd64", &["linux/amd64/v2", "linux/i386"], Some("linux/i386")),
            ("linux/s390x", &["linux/amd64", "linux/s390x"], Some("linux/s390x")),
            ("linux/amd64", &["windows/amd64"], None),
        ] {
            assert_eq!(best(wished, offered), chosen, "{wished} of {offered:?}");
        }
        let strict = Matcher::only_strict(&platform("linux/arm/v7"));
        assert!(strict.accepts(&platform("linux/arm")) && !strict.accepts(&platform("linux/arm/v6")));
    }

    #[test]
    fn features_and_windows_versions() {
        for (wished, offered, chosen) in [
            ("linux(+a+b)/amd64", &["linux(+a)/amd64", "linux(+b+a)/amd64"][..], Some("linux(+b+a)/amd64")),
            ("linux(+a)/amd64", &["linux(+b)/amd64"], None),
            ("windows/amd64", &["windows(10.0.17763+win32k)/amd64"], Some("windows(10.0.17763+win32k)/amd64")),
            ("windows(10.0.17763)/amd64", &["windows(10.0.20348)/amd64"], None),
            ("windows(10.0.25398)/amd64", &["windows(10.0.20348.1)/amd64"], Some("windows(10.0.20348.1)/amd64")),
            ("windows(10.0.26100)/amd64", &["windows(10.0.20348)/amd64"], Some("windows(10.0.20348)/amd64")),
            ("windows(10.0.27000)/amd64", &["windows(10.0.20348)/amd64"], None),
            ("windows(10.0.20348)/amd64", &["windows(10.0.26100)/amd64"], None),
            ("windows(10.0.20348)/amd64", &["windows(odd)/amd64"], None),
            ("windows(10.0.20348)/amd64", &["windows/amd64"], Some("windows/amd64")),
        ] {
            assert_eq!(best(wished, offered), chosen, "{wished} of {offered:?}");
        }
    }
}
