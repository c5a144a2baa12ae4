//! NVIDIA GeForce GTX 980: no pools, no concurrent managed access, no virtual memory management.
//!
//! Values from the maker's published tables for compute capability 5.2, not measured.

use super::Profile;

/// An older device.
pub(crate) static GTX980: Profile = Profile {
    key: "gtx980",
    index: 1,
    name: "NVIDIA GeForce GTX 980 (simulated)",
    memory: 4 << 30,
    attributes: &[
        (1, 1024),
        (2, 1024),
        (3, 1024),
        (4, 64),
        (5, 2_147_483_647),
        (6, 65_535),
        (7, 65_535),
        (8, 49_152),
        (9, 65_536),
        (10, 32),
        (11, 2_147_483_647),
        (12, 65_536),
        (14, 512),
        (16, 16),
        (18, 0),
        (19, 1),
        (20, 0),
        (31, 1),
        (39, 2048),
        (40, 2),
        (41, 1),
        (51, 32),
        (75, 5),
        (76, 2),
        (83, 1),
        (88, 0),
        (89, 0),
        (100, 0),
        (101, 0),
        (102, 0),
        (113, 0),
        (115, 0),
    ],
};
