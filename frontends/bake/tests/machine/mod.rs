//! A machine for tests: it has no files.

use rbc_bake::{Found, Host};

pub struct Machine;

impl rbc_hcl::Host for Machine {
    fn now(&self) -> i64 {
        0
    }
    fn home(&self) -> String {
        "/home/me".into()
    }
    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl Host for Machine {
    fn find(&self, _path: &str) -> Found {
        Found::Nothing
    }
    fn read(&self, _path: &str) -> Option<String> {
        None
    }
}
