//! NVIDIA H200, driver 580, CUDA 13.0.

use super::Profile;

/// The device that the tables of `tests/data/ground-truth` were measured on.
pub(crate) static H200: Profile = Profile {
    key: "h200",
    name: "NVIDIA H200 (simulated)",
    memory: 150_110_011_392,
    attributes: &[
        (1, 1024),
        (10, 32),
        (11, 2_147_483_647),
        (14, 512),
        (18, 0),
        (19, 1),
        (20, 0),
        (31, 1),
        (40, 3),
        (41, 1),
        (51, 32),
        (75, 9),
        (76, 0),
        (83, 1),
        (88, 0),
        (89, 1),
        (91, 1),
        (99, 1),
        (100, 0),
        (101, 0),
        (102, 1),
        (103, 1),
        (113, 1),
        (115, 1),
    ],
};
