//! `App`: bots and settings to a running process; the only assembler.
