//! What a terminal has to give whose layout Payter's pages do not give: believable bytes, until somebody sets others.

use std::fmt;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Paper {
    /// Answers Get Connection Info.
    ConnectionInfo,
    /// Answers Get Receipt.
    Receipt,
    /// Answers Get Transaction Record.
    TransactionRecord,
    /// Answers Read File.
    File,
}

/// The bytes of each; none where the terminal's configuration does not provide it.
#[derive(Clone, PartialEq, Eq)]
pub struct Papers([Option<Vec<u8>>; 4]);

impl Papers {
    /// This one's bytes.
    pub(super) fn of(&self, paper: Paper) -> Option<&[u8]> {
        self.0.get(paper as usize)?.as_deref()
    }

    /// From now on it has these bytes.
    pub fn set(&mut self, paper: Paper, bytes: Option<&[u8]>) {
        if let Some(kept) = self.0.get_mut(paper as usize) {
            *kept = bytes.map(<[u8]>::to_vec);
        }
    }
}

impl fmt::Debug for Papers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only how long they are: they may be copies of real ones.
        f.debug_list().entries(self.0.iter().map(|bytes| bytes.as_ref().map(Vec::len))).finish()
    }
}

impl Default for Papers {
    fn default() -> Self {
        Self(
            [
                "eth0\x00192.0.2.17\x00255.255.255.0\x00192.0.2.1\x00up\x00",
                "MERCHANT COPY\nTID 00000000\nPREAUTHORISATION\nCARD ************0000\nAPPROVED\n",
                "2025-11-23T12:00:00;PREAUTH;0;APPROVED",
                "[psp]\nmode=serial\nbaud-rate=57600\n",
            ]
            .map(|text| Some(text.as_bytes().to_vec())),
        )
    }
}
