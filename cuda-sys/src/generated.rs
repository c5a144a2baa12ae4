//! What `cargo xtask codegen` writes, and nothing else but the lists of imports that it needs.

#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    missing_docs,
    missing_debug_implementations,
    unused_imports,
    clippy::allow_attributes,
    clippy::missing_safety_doc,
    clippy::too_many_arguments,
    clippy::upper_case_acronyms,
    clippy::pub_underscore_fields,
    reason = "names, shapes and documentation belong to the C headers; which of these lints \
              fire depends on the toolkit"
)]

pub(crate) mod driver {
    pub(crate) mod table;
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
    }
}

pub(crate) mod runtime {
    pub(crate) mod table;
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
    }
}

pub(crate) mod runtime_v11 {
    pub(crate) mod table;
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}

pub(crate) mod runtime_v12 {
    pub(crate) mod table;
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}

pub(crate) mod runtime_v13 {
    pub(crate) mod table;
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}
