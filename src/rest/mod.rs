//! The only room that speaks to Bitrix24: endpoint, credentials, faults, pace.
