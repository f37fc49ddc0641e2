// SPDX-License-Identifier: GPL-2.0
//! What the kernel writes to its log.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

pub struct Log(File);

impl Log {
    /// From here on.
    pub fn open() -> Log {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .expect("/dev/kmsg");
        file.seek(SeekFrom::End(0)).expect("the log's end");
        Log(file)
    }

    /// How many messages with these words there have been since the last call.
    pub fn count(&mut self, words: &str) -> usize {
        let mut message = vec![0; 8192];
        let mut count = 0;
        // One message each time.
        while let Ok(length) = self.0.read(&mut message) {
            let message = String::from_utf8_lossy(&message[..length]);
            count += usize::from(message.contains(words));
        }
        count
    }
}
