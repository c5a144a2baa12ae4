//! Names and sentences of status codes.

use core::ffi::CStr;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::OnceLock;

use cuda_sys::driver::CUresult;

use super::sentences::SENTENCES;

/// The C name of a code, as a string that lives for ever.
pub(super) fn name(code: CUresult) -> Option<&'static CStr> {
    all().get(&code.0).map(|(name, _)| name.as_c_str())
}

/// What a code means.
pub(super) fn sentence(code: CUresult) -> Option<&'static CStr> {
    all().get(&code.0).map(|(_, sentence)| sentence.as_c_str())
}

fn all() -> &'static BTreeMap<u32, (CString, CString)> {
    static ALL: OnceLock<BTreeMap<u32, (CString, CString)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let named = (0..1000)
            .filter_map(|number| Some((number, cuda_sys::driver::cudaError_enum(number).name()?)));
        let texts = named.filter_map(|(number, name)| {
            let known = SENTENCES
                .binary_search_by_key(&number, |(code, _)| *code)
                .ok();
            let sentence = known
                .and_then(|index| SENTENCES.get(index))
                .map_or(name, |(_, sentence)| sentence);
            Some((
                number,
                (CString::new(name).ok()?, CString::new(sentence).ok()?),
            ))
        });
        texts.collect()
    })
}
