//! Memory that other processes have lent.

use std::sync::Arc;

use super::arena::BLOCK;
use super::code::{Code, Outcome};
use super::mapping::{Mapping, round_up};
use super::object::{BlockFacts, ContextId, Kind, Owner, Place};
use super::space::Space;
use super::store::Lent;

/// What is lent: a block of the lender's, and the one allocation in it that the handle was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loan {
    pub(crate) block: Lent,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

/// A loan that this process has opened.
#[derive(Debug)]
pub(crate) struct Import {
    loan: Loan,
    base: usize,
    block: BlockFacts,
    pub(super) context: ContextId,
    /// As often it must be closed.
    opened: usize,
}

impl Space {
    /// Opens a loan; opened before, it is at the address that it has already (measured).
    pub(crate) fn import(&mut self, loan: Loan, owner: Owner) -> Outcome<usize> {
        let known = self
            .imports
            .iter_mut()
            .find(|import| import.loan == loan && import.context == owner.context);
        if let Some(known) = known {
            known.opened += 1;
            return Ok(known.base);
        }
        let bytes = Arc::new(Mapping::lent(&loan.block).ok_or(Code::INVALID_VALUE)?);
        let length = round_up(loan.block.length, BLOCK).ok_or(Code::INVALID_VALUE)?;
        let start = self.arena.take(length, BLOCK)?;
        let block = BlockFacts {
            base: start,
            size: length,
            id: self.fresh_id(),
        };
        let base = start + loan.offset;
        let place = Place::Behind {
            bytes,
            offset: loan.offset,
        };
        self.insert(base, loan.size, Kind::Imported, owner, place, block);
        self.imports.push(Import {
            loan,
            base,
            block,
            context: owner.context,
            opened: 1,
        });
        Ok(base)
    }

    /// Closes it once; the last time it is gone.
    pub(crate) fn close_import(&mut self, base: usize) -> Outcome {
        let index = self
            .imports
            .iter()
            .position(|import| import.base == base)
            .ok_or(Code::INVALID_VALUE)?;
        let import = &mut self.imports[index];
        import.opened -= 1;
        if import.opened == 0 {
            let gone = self.imports.swap_remove(index);
            self.objects.remove(&gone.base);
            self.arena.give(gone.block.base, gone.block.size);
        }
        Ok(())
    }
}
