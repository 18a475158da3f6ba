//! From records to what is shown.
