//! Every metric, span and field name. Imports types only.
