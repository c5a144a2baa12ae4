//! Names and sentences of status codes.

use core::ffi::CStr;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::OnceLock;

use cuda_sys::driver::CUresult;

/// The C name of a code, as a string that lives for ever.
pub(super) fn name(code: CUresult) -> Option<&'static CStr> {
    all().get(&code.0).map(|(name, _)| name.as_c_str())
}

/// What a code means. Our words, made from the name.
pub(super) fn sentence(code: CUresult) -> Option<&'static CStr> {
    all().get(&code.0).map(|(_, sentence)| sentence.as_c_str())
}

fn all() -> &'static BTreeMap<u32, (CString, CString)> {
    static ALL: OnceLock<BTreeMap<u32, (CString, CString)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let named = (0..1000)
            .filter_map(|number| Some((number, cuda_sys::driver::cudaError_enum(number).name()?)));
        let texts = named.filter_map(|(number, name)| {
            let words = name
                .trim_start_matches("CUDA_ERROR_")
                .trim_start_matches("CUDA_");
            let sentence = words.to_ascii_lowercase().replace('_', " ");
            let sentence = match number {
                0 => "no error".to_owned(),
                1 => "invalid argument".to_owned(),
                _ => sentence,
            };
            Some((
                number,
                (CString::new(name).ok()?, CString::new(sentence).ok()?),
            ))
        });
        texts.collect()
    })
}
