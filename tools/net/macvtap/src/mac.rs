// SPDX-License-Identifier: GPL-2.0
//! MAC addresses, and what is asked of those in a filter.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Mac, String> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            *byte = parts
                .next()
                .filter(|part| matches!(part.len(), 1 | 2) && !part.starts_with('+'))
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or("an address is six bytes such as 52:54:00:12:34:56")?;
        }
        match parts.next() {
            None => Ok(Mac(bytes)),
            Some(_) => Err("an address has no more than six bytes".to_owned()),
        }
    }
}

/// The address of one station.
pub fn unicast(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse()?;
    if mac.is_multicast() {
        return Err("this is a multicast address: it belongs to --multicast".to_owned());
    }
    if mac.0 == [0; 6] {
        return Err("no station has this address".to_owned());
    }
    Ok(mac)
}

/// The address of a group of stations.
pub fn multicast(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse()?;
    if !mac.is_multicast() {
        return Err("this is a unicast address: it belongs to --unicast".to_owned());
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATION: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0xab]);

    #[test]
    fn written_as_it_is_read() {
        assert_eq!("52:54:00:12:34:ab".parse(), Ok(STATION));
        assert_eq!("52:54:0:12:34:AB".parse(), Ok(STATION));
        assert_eq!(STATION.to_string(), "52:54:00:12:34:ab");
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "52",
            "52:54:00:12:34",
            "52:54:00:12:34:ab:",
            "52:54:00:12:34:ab:cd",
            "52:54:00:12:34:1ab",
            "52:54:00:12:34:+a",
            "52:54::12:34:ab",
            "52-54-00-12-34-ab",
            "52:54:00:12:34:xy",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn stations_and_groups() {
        assert_eq!(unicast("52:54:00:12:34:ab"), Ok(STATION));
        assert!(unicast("01:00:5e:00:00:01").is_err());
        assert!(unicast("ff:ff:ff:ff:ff:ff").is_err());
        assert!(unicast("00:00:00:00:00:00").is_err());
        assert!(multicast("01:00:5e:00:00:01").is_ok());
        assert!(multicast("52:54:00:12:34:ab").is_err());
    }
}
