//! A Bitrix24 portal on your desk, for tests and for `imbot dev`. Shares `types` with the rest and nothing else.
