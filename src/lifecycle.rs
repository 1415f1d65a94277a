//! Stop signals and draining. Imports nothing of ours.
