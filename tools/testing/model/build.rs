// SPDX-License-Identifier: GPL-2.0

//! Sets what Kconfig sets for the modules.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(CONFIG_TUN_VNET_CROSS_LE)");
    if std::env::var_os("CARGO_FEATURE_CROSS_LE").is_some() {
        println!("cargo::rustc-cfg=CONFIG_TUN_VNET_CROSS_LE");
    }
}
