// SPDX-License-Identifier: GPL-2.0
//! How long grace periods of RCU take.

use std::fs;

const EXPEDITED: &str = "/sys/kernel/rcu_expedited";

/// Who waits for a grace period waits for a short one. In C, each close() does, and
/// most of the time would be spent so.
pub struct Expedited(String);

impl Expedited {
    pub fn new() -> Expedited {
        let before = fs::read_to_string(EXPEDITED).expect("the setting");
        fs::write(EXPEDITED, "1").expect("another setting");
        Expedited(before)
    }
}

impl Drop for Expedited {
    fn drop(&mut self) {
        fs::write(EXPEDITED, &self.0).expect("the setting as it was");
    }
}
