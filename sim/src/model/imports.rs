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
    /// The lender's whole block: what is lent of it later lies where it lies there (measured).
    block: BlockFacts,
    bytes: Arc<Mapping>,
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
        let (block, bytes) = self.import_block(&loan.block, owner.context)?;
        let base = block.base + loan.offset;
        let place = Place::Behind {
            bytes: Arc::clone(&bytes),
            offset: loan.offset,
        };
        self.insert(base, loan.size, Kind::Imported, owner, place, block);
        self.imports.push(Import {
            loan,
            base,
            block,
            bytes,
            context: owner.context,
            opened: 1,
        });
        Ok(base)
    }

    fn import_block(
        &mut self,
        lent: &Lent,
        context: ContextId,
    ) -> Outcome<(BlockFacts, Arc<Mapping>)> {
        let known = self
            .imports
            .iter()
            .find(|import| import.loan.block == *lent && import.context == context);
        if let Some(known) = known {
            return Ok((known.block, Arc::clone(&known.bytes)));
        }
        let bytes = Arc::new(Mapping::lent(lent).ok_or(Code::INVALID_VALUE)?);
        let size = round_up(lent.length, BLOCK).ok_or(Code::INVALID_VALUE)?;
        let base = self.arena.take(size, BLOCK)?;
        let id = self.fresh_id();
        Ok((BlockFacts { base, size, id }, bytes))
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
            let mut others = self.imports.iter();
            if others.all(|other| other.block.base != gone.block.base) {
                self.arena.give(gone.block.base, gone.block.size);
            }
        }
        Ok(())
    }
}
