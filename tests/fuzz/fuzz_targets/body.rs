//! Any bytes through the decoder, the label, the event and the cut.
#![no_main]

use imbot::types::is_credential;
use imbot::{event, wire};

include!("../check.rs");

libfuzzer_sys::fuzz_target!(|body: &[u8]| check(body));
