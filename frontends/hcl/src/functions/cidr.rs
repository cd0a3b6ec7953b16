//! IP networks.

use super::{Fault, Host, Returned, int_of, str_of};
use crate::{Type, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A network: the address bits on the right, the prefix length, and how many bits an address has.
#[derive(Clone, Copy)]
struct Network {
    address: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let prefix: u32 = prefix.parse().ok()?;
        let (address, bits) = match (address.parse::<Ipv4Addr>(), address.parse::<Ipv6Addr>()) {
            (Ok(v4), _) => (u128::from(v4.to_bits()), 32),
            (_, Ok(v6)) => (v6.to_bits(), 128),
            _ => return None,
        };
        (prefix <= bits).then(|| Network { address: address & mask(prefix, bits), prefix, bits })
    }

    fn address_text(self, address: u128) -> String {
        if self.bits == 32 {
            Ipv4Addr::from_bits(address as u32).to_string()
        } else {
            Ipv6Addr::from_bits(address).to_string()
        }
    }

    fn text(self) -> String {
        format!("{}/{}", self.address_text(self.address), self.prefix)
    }

    /// How many addresses there are, less one.
    fn last(self) -> u128 {
        ones(self.bits - self.prefix)
    }
}

fn ones(count: u32) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

fn mask(prefix: u32, bits: u32) -> u128 {
    ones(bits) & !ones(bits - prefix)
}

fn network(args: &[Value]) -> Result<Network, Fault> {
    let text = str_of(args, 0);
    Network::parse(text).ok_or_else(|| Fault::Argument(0, format!("{text:?} is not a network like \"10.0.0.0/8\"")))
}

pub(super) fn host(args: &[Value], _: &dyn Host) -> Returned {
    let network = network(args)?;
    let number = int_of(args, 1)?;
    let distance = if number < 0 { u128::from(number.unsigned_abs()) - 1 } else { number as u128 };
    if distance > network.last() {
        return Err(Fault::Argument(1, format!("{} has no host {number}", network.text())));
    }
    let offset = if number < 0 { network.last() - distance } else { distance };
    Ok(Value::string(network.address_text(network.address | offset)))
}

pub(super) fn netmask(args: &[Value], _: &dyn Host) -> Returned {
    let network = network(args)?;
    Ok(Value::string(network.address_text(mask(network.prefix, network.bits))))
}

/// A prefix made longer, if the address has room.
fn longer(network: Network, by: i64, i: usize) -> Result<u32, Fault> {
    if by > 32 {
        return Err(Fault::Argument(i, "a prefix can be extended by 32 bits at most".into()));
    }
    match u32::try_from(by) {
        Ok(by) if network.prefix + by <= network.bits => Ok(network.prefix + by),
        Ok(by) => Err(Fault::Argument(i, format!("a prefix of {} bits is too long", network.prefix + by))),
        Err(_) => Err(Fault::Argument(i, "a prefix cannot be made shorter".into())),
    }
}

pub(super) fn subnet(args: &[Value], _: &dyn Host) -> Returned {
    let network = network(args)?;
    let prefix = longer(network, int_of(args, 1)?, 1)?;
    let number = int_of(args, 2)?;
    let most = ones(prefix - network.prefix);
    let Some(number) = u128::try_from(number).ok().filter(|n| *n <= most) else {
        return Err(Fault::Argument(2, format!("the networks are numbered from 0 to {most}")));
    };
    let offset = if prefix == 0 { 0 } else { number << (network.bits - prefix) };
    Ok(Value::string(Network { address: network.address | offset, prefix, ..network }.text()))
}

pub(super) fn subnets(args: &[Value], _: &dyn Host) -> Returned {
    let network = network(args)?;
    let mut out = Vec::new();
    // Offset of the first free address; none once the last one is taken.
    let mut free = Some(0u128);
    for i in 1..args.len() {
        let by = int_of(args, i)?;
        if by < 1 {
            return Err(Fault::Argument(i, "a prefix must be extended by one bit at least".into()));
        }
        let prefix = longer(network, by, i)?;
        let size = ones(network.bits - prefix);
        let start = free.and_then(|f| f.checked_add(size)).map(|f| f & !size);
        let Some(start) = start.filter(|s| s + size <= network.last()) else {
            return Err(Fault::Argument(
                i,
                format!("{} has no room left for a prefix of {prefix} bits", network.text()),
            ));
        };
        out.push(Value::string(Network { address: network.address | start, prefix, ..network }.text()));
        free = (start + size).checked_add(1);
    }
    Ok(Value::list(Type::String, out))
}
