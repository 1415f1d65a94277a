//! Configuration: file and environment once at start; every mistake reported at once.
