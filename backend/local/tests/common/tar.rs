//! Archives as hostile as one likes.

/// An entry: its path, type, what it links to, and its contents.
pub struct Entry<'a>(pub &'a str, pub u8, pub &'a str, pub &'a [u8]);

/// An archive of entries; modes are 0755, or 04755 for names that begin with `suid`.
pub fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for Entry(path, kind, link, data) in entries {
        out.extend(header(path, *kind, link, data.len(), (0, 0)));
        out.extend(*data);
        out.extend(vec![0; data.len().wrapping_neg() % 512]);
    }
    out.extend([0; 1024]);
    out
}

/// A header, with the numbers of a device.
pub fn header(path: &str, kind: u8, link: &str, size: usize, device: (u32, u32)) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, path.as_bytes());
    put(100, if path.starts_with("suid") { b"0004755" } else { b"0000755" });
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"07000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, format!("{:07o}", device.0).as_bytes());
    put(337, format!("{:07o}", device.1).as_bytes());
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
