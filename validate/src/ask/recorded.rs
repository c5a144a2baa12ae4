//! Answers from a list.

use super::{Ask, Attributes, Host, Mapped, Pointer};
use crate::facts::{Access, ArrayFacts, Capture, Environment};
use crate::{Call, Span, Stream};
use std::collections::HashMap;

/// Answers that somebody recorded: for tests, and to replay what a user saw.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    pointers: Vec<(Span, Attributes)>,
    ranges: Vec<Span>,
    host: Vec<Mapped>,
    words: HashMap<u64, u64>,
    access: HashMap<(u64, i32), Access>,
    pools: HashMap<(u64, i32), Access>,
    arrays: HashMap<u64, ArrayFacts>,
    environment: Environment,
}

impl Recorded {
    /// Adds what CUDA says of every address in `span`; the device pointer is that of its start.
    #[must_use]
    pub fn with(mut self, span: Span, attributes: Attributes) -> Self {
        self.pointers.push((span, attributes));
        self
    }

    /// Adds a range as `cuMemGetAddressRange` gives it.
    #[must_use]
    pub fn with_mapped_range(mut self, span: Span) -> Self {
        self.ranges.push(span);
        self
    }

    /// Adds a mapping of the process.
    #[must_use]
    pub fn with_host(mut self, mapping: Mapped) -> Self {
        self.host.push(mapping);
        self.host.sort_by_key(|mapping| mapping.span.start);
        self
    }

    /// Adds a word of memory.
    #[must_use]
    pub fn with_word(mut self, address: u64, word: u64) -> Self {
        self.words.insert(address, word);
        self
    }

    /// Adds what a device may do with the virtual memory that begins at an address.
    #[must_use]
    pub fn with_access(mut self, start: u64, device: i32, access: Access) -> Self {
        self.access.insert((start, device), access);
        self
    }

    /// Adds what a pool allows a device.
    #[must_use]
    pub fn with_pool_access(mut self, pool: u64, device: i32, access: Access) -> Self {
        self.pools.insert((pool, device), access);
        self
    }

    /// Adds an array.
    #[must_use]
    pub fn with_array(mut self, array: ArrayFacts) -> Self {
        self.arrays.insert(array.handle, array);
        self.words.insert(array.handle & !7, 0);
        self
    }

    /// Sets what surrounds every call.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }
}

impl Ask for Recorded {
    fn pointer(&self, address: u64) -> Pointer {
        let known = self
            .pointers
            .iter()
            .find(|(span, _)| span.contains(address));
        let known = known.map(|(span, attributes)| Attributes {
            device_pointer: attributes.device_pointer.map(|pointer| match pointer {
                0 => 0,
                start => start.wrapping_add(address - span.start),
            }),
            ..*attributes
        });
        Pointer::Known(known.unwrap_or(Attributes {
            ordinal: -2,
            ..Attributes::default()
        }))
    }

    fn mapped_range(&self, address: u64) -> Option<Span> {
        let found = self.ranges.iter().find(|span| span.contains(address));
        found.copied()
    }

    fn access(&self, address: u64, device: i32) -> Access {
        let start = self
            .mapped_range(address)
            .map_or(address, |span| span.start);
        let known = self.access.get(&(start, device));
        known.copied().unwrap_or_default()
    }

    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        self.pools.get(&(pool, device)).copied().unwrap_or_default()
    }

    fn vouches_for_array(&self, _handle: u64) -> bool {
        // Nothing is followed here.
        true
    }

    unsafe fn array(&self, handle: u64) -> Option<ArrayFacts> {
        self.arrays.get(&handle).copied()
    }

    fn host(&self, address: u64) -> Host {
        let after = self.host.iter().find(|mapping| address < mapping.span.end);
        match after {
            Some(mapping) if mapping.span.contains(address) => Host::Mapped(mapping.clone()),
            Some(mapping) => Host::Unmapped {
                next: Some(mapping.span.start),
            },
            None => Host::Unmapped { next: None },
        }
    }

    fn peek(&self, address: u64) -> Option<u64> {
        self.words.get(&address).copied()
    }

    unsafe fn capture(&self, _stream: Stream) -> Capture {
        self.environment.capture
    }

    unsafe fn within(&self, _stream: Stream, act: &mut dyn FnMut()) -> bool {
        // What was recorded is what the stream's context told, if it was asked.
        let asked = !self.environment.foreign_stream;
        if asked {
            act();
        }
        asked
    }

    unsafe fn stream_device(&self, _stream: Stream) -> Option<i32> {
        self.environment.stream_device
    }

    fn environment(&self, _call: &Call) -> Environment {
        self.environment.clone()
    }
}
