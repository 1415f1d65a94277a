//! Typed REST methods: name, parameters, reply. No client.
