//! Variables that the runtime knows by name.

use cuda_sys::runtime::Runtime;
use cuwhy_validate::Class;
use cuwhy_validate::repro;

use super::{Base, Object, Side, object};

/// A variable, and by what address the runtime knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::truth) struct Variable {
    pub(in crate::truth) name: u64,
    pub(in crate::truth) object: Object,
}

impl Base {
    /// Announces variables to a runtime.
    pub(in crate::truth) fn announce(&mut self, runtime: &Runtime) -> Result<(), String> {
        let all = repro::variables(runtime).map_err(|why| why.to_string())?;
        for (one, class) in all.into_iter().zip(["variable", "variable", "constant"]) {
            let object = object(class, one.start, one.bytes, Side::Device).of(0);
            self.objects.push(object);
            self.notes.push((Class::Symbol, 0, one.start, one.bytes));
            self.variables.push(Variable {
                name: one.name,
                object,
            });
        }
        Ok(())
    }
}
