//! What bears on copies: CUDA's attributes in our words.

/// A property of a device that decides whether, or how, a copy works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The key in reports.
    pub key: &'static str,
    /// What tables call it.
    pub label: &'static str,
    /// The attribute that claims it.
    pub attribute: &'static str,
    /// What it means for a copy when the attribute says yes.
    pub yes: &'static str,
    /// What it means for a copy when the attribute says no.
    pub no: &'static str,
}

const fn meaning(
    key: &'static str,
    label: &'static str,
    attribute: &'static str,
    yes: &'static str,
    no: &'static str,
) -> Meaning {
    Meaning {
        key,
        label,
        attribute,
        yes,
        no,
    }
}

/// Every capability, in the order of tables.
pub const CAPABILITIES: [Meaning; 21] = [
    meaning(
        "unified_addressing",
        "unified addressing",
        "CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING",
        "the direction can be inferred from the pointers",
        "the direction must be said, addresses alone mean nothing",
    ),
    meaning(
        "managed",
        "managed memory",
        "CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY",
        "allowed",
        "cudaMallocManaged fails",
    ),
    meaning(
        "concurrent_managed",
        "concurrent managed access",
        "CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS",
        "the host may touch managed memory while a kernel runs",
        "the host must not touch managed memory while the device works",
    ),
    meaning(
        "direct_managed_from_host",
        "direct managed access from host",
        "CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST",
        "the host reads managed memory in place, without migration",
        "managed memory moves to the host when the host touches it",
    ),
    meaning(
        "pageable",
        "pageable memory access",
        "CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS",
        "plain malloc memory can be used by kernels and by memset",
        "plain malloc memory cannot be read by kernels",
    ),
    meaning(
        "pageable_host_page_tables",
        "pageable through host page tables",
        "CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES",
        "access by hardware (ATS)",
        "if there is access, then by software (HMM)",
    ),
    meaning(
        "host_register",
        "host register",
        "CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED",
        "existing memory can be pinned",
        "cudaHostRegister fails",
    ),
    meaning(
        "host_register_read_only",
        "host register, read-only",
        "CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED",
        "read-only mappings can be pinned",
        "read-only mappings cannot be pinned",
    ),
    meaning(
        "registered_pointer_same",
        "host pointer valid on device",
        "CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM",
        "same address on both sides for registered memory",
        "registered memory has another address on the device",
    ),
    meaning(
        "map_host",
        "map host memory",
        "CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY",
        "kernels can use pinned memory in place",
        "pinned memory is for copies only",
    ),
    meaning(
        "host_native_atomics",
        "native atomics with host",
        "CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED",
        "atomics on host memory are atomic for both sides",
        "atomics on host memory are not atomic for the host",
    ),
    meaning(
        "virtual_memory",
        "virtual memory management",
        "CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED",
        "cuMemCreate and cuMemMap work",
        "cuMemCreate fails",
    ),
    meaning(
        "pools",
        "stream-ordered pools",
        "CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED",
        "cudaMallocAsync works",
        "cudaMallocAsync fails",
    ),
    meaning(
        "host_virtual_memory",
        "virtual memory on the host",
        "CU_DEVICE_ATTRIBUTE_HOST_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED",
        "cuMemCreate on the host works",
        "cuMemCreate on the host fails",
    ),
    meaning(
        "host_numa_virtual_memory",
        "virtual memory on a host NUMA node",
        "CU_DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED",
        "cuMemCreate on a host NUMA node works",
        "cuMemCreate on a host NUMA node fails",
    ),
    meaning(
        "host_pools",
        "pools on the host",
        "CU_DEVICE_ATTRIBUTE_HOST_MEMORY_POOLS_SUPPORTED",
        "pools can hold host memory",
        "pools cannot hold host memory",
    ),
    meaning(
        "host_numa_pools",
        "pools on a host NUMA node",
        "CU_DEVICE_ATTRIBUTE_HOST_NUMA_MEMORY_POOLS_SUPPORTED",
        "pools can hold memory of a host NUMA node",
        "pools cannot hold memory of a host NUMA node",
    ),
    meaning(
        "gpu_direct_rdma",
        "GPUDirect RDMA",
        "CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED",
        "network cards can read device memory",
        "network cards go through host memory",
    ),
    meaning(
        "dma_buf",
        "dma-buf",
        "CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED",
        "device memory can be exported to other kernel drivers",
        "device memory cannot be exported as dma-buf",
    ),
    meaning(
        "multicast",
        "multicast",
        "CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED",
        "one store can reach several GPUs",
        "one store reaches one GPU",
    ),
    meaning(
        "integrated",
        "integrated",
        "CU_DEVICE_ATTRIBUTE_INTEGRATED",
        "the device shares the host's memory",
        "the device has memory of its own",
    ),
];

/// Finds a capability by its key.
pub fn capability(key: &str) -> Option<&'static Meaning> {
    CAPABILITIES.iter().find(|meaning| meaning.key == key)
}
