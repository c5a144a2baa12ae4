//! .
#[test]
fn t() {}
