//! What `cargo xtask codegen` writes, and nothing else but the lists of imports that it needs.
//!
//! With the feature `bindgen` the driver and one runtime major come from the build script instead.

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
    #[cfg(feature = "bindgen")]
    pub(crate) mod table {
        include!(concat!(env!("OUT_DIR"), "/driver/table.rs"));
    }
    #[cfg(not(feature = "bindgen"))]
    pub(crate) mod table;
    #[cfg(feature = "bindgen")]
    pub(crate) mod types {
        include!(concat!(env!("OUT_DIR"), "/driver/types.rs"));
    }
    #[cfg(not(feature = "bindgen"))]
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
    #[cfg(local_runtime = "11")]
    pub(crate) mod table {
        include!(concat!(env!("OUT_DIR"), "/runtime/table.rs"));
    }
    #[cfg(not(local_runtime = "11"))]
    pub(crate) mod table;
    #[cfg(local_runtime = "11")]
    pub(crate) mod types {
        include!(concat!(env!("OUT_DIR"), "/runtime/types.rs"));
    }
    #[cfg(not(local_runtime = "11"))]
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}

pub(crate) mod runtime_v12 {
    #[cfg(local_runtime = "12")]
    pub(crate) mod table {
        include!(concat!(env!("OUT_DIR"), "/runtime/table.rs"));
    }
    #[cfg(not(local_runtime = "12"))]
    pub(crate) mod table;
    #[cfg(local_runtime = "12")]
    pub(crate) mod types {
        include!(concat!(env!("OUT_DIR"), "/runtime/types.rs"));
    }
    #[cfg(not(local_runtime = "12"))]
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}

pub(crate) mod runtime_v13 {
    #[cfg(local_runtime = "13")]
    pub(crate) mod table {
        include!(concat!(env!("OUT_DIR"), "/runtime/table.rs"));
    }
    #[cfg(not(local_runtime = "13"))]
    pub(crate) mod table;
    #[cfg(local_runtime = "13")]
    pub(crate) mod types {
        include!(concat!(env!("OUT_DIR"), "/runtime/types.rs"));
    }
    #[cfg(not(local_runtime = "13"))]
    pub(crate) mod types;

    pub(crate) mod prelude {
        pub(crate) use super::types::*;
        pub(crate) use crate::generated::runtime::types::*;
    }
}
