//! The checks, in the order in which they run.
//!
//! The list only grows at places where the order allows it; ids never change their meaning.

use super::check::Check;
use super::{cuda, device, host, library, memory, peer};

/// Every check.
pub const CHECKS: &[Check] = &[
    Check {
        id: "host.module",
        title: "the NVIDIA kernel module is loaded",
        how: "reads /sys/module/nvidia/version and /proc/driver/nvidia/version, and looks for device nodes",
        when: "fails when neither file nor a node is there and CUDA does not work; under WSL, in sandboxes and on a simulated driver their absence is no fault",
        next: "install the driver, or start the container with the GPU passed through",
        needs: &[],
        run: host::module,
    },
    Check {
        id: "host.nodes",
        title: "the driver's device nodes are there and can be opened",
        how: "lists /dev/nvidiactl, /dev/nvidia0 and so on, /dev/nvidia-uvm (/dev/dxg under WSL), and opens each",
        when: "fails when one is missing or not allowed and CUDA does not work; a missing /dev/nvidia-uvm is a known cause of error 999",
        next: "nvidia-modprobe -u -c 0 creates them; a container must be given them; permissions come from the groups video or render",
        needs: &["host.module"],
        run: host::nodes,
    },
    Check {
        id: "host.sandbox",
        title: "what stands between programs and the driver",
        how: "looks for signs of a container, of WSL and of gVisor",
        when: "never; it turns later failures into explanations",
        next: "nothing",
        needs: &[],
        run: host::sandbox,
    },
    Check {
        id: "library.driver.found",
        title: "libcuda.so.1 can be loaded",
        how: "opens the candidates in order: CUWHY_LIBCUDA, what is mapped, the loader's search, the usual folders",
        when: "fails when none opens; every attempt is listed with the loader's own words",
        next: "install the driver, or start the container with the GPU passed through; if the file is on disk, ldconfig",
        needs: &[],
        run: library::driver_found,
    },
    Check {
        id: "library.driver.stub",
        title: "the libcuda that is loaded is a real one",
        how: "looks at the file's place and size, and at status 34 from cuInit",
        when: "fails when it is the toolkit's build-time stub, which has all names and no code",
        next: "remove the stubs folder from LD_LIBRARY_PATH",
        needs: &["library.driver.found"],
        run: library::driver_stub,
    },
    Check {
        id: "library.driver.compat",
        title: "a forward-compatibility package fits device and driver",
        how: "looks at the file's place and at statuses 803 and 804 from cuInit",
        when: "fails when the newer libcuda does not accept this kernel module (803) or this device (804)",
        next: "remove the compat folder from LD_LIBRARY_PATH, or update the driver",
        needs: &["library.driver.found", "library.driver.stub"],
        run: library::driver_compat,
    },
    Check {
        id: "library.driver.twice",
        title: "only one libcuda is mapped",
        how: "has libcudart open the libcuda of its choice, then reads the process's own map",
        when: "fails when two different files are mapped: the two APIs would talk to two drivers",
        next: "have one libcuda on the search path",
        needs: &["library.driver.found", "library.driver.stub"],
        run: library::driver_twice,
    },
    Check {
        id: "library.nvml.found",
        title: "NVML can be loaded and starts",
        how: "opens libnvidia-ml.so.1 and calls nvmlInit_v2",
        when: "fails when it is missing or does not start; CUDA may work without it, monitoring does not",
        next: "install the driver's utilities; a container needs the capability utility (NVIDIA_DRIVER_CAPABILITIES)",
        needs: &[],
        run: library::nvml_found,
    },
    Check {
        id: "library.agree",
        title: "kernel module, NVML and libcuda are of one version",
        how: "compares the module's version, NVML's and the one in libcuda's file name",
        when: "fails when they differ, and when NVML answers NVML_ERROR_LIB_RM_VERSION_MISMATCH (18)",
        next: "the driver was updated while its old module stayed loaded: reboot, or unload and load the module",
        needs: &["library.driver.found"],
        run: library::agree,
    },
    Check {
        id: "library.runtime.found",
        title: "a libcudart can be loaded",
        how: "opens the newest major that the driver serves, then older ones, then the usual folders",
        when: "never; it is skipped when there is none, for a program may contain it",
        next: "nothing; or install the CUDA runtime",
        needs: &[],
        run: library::runtime_found,
    },
    Check {
        id: "library.runtime.fits",
        title: "the runtime is not newer than the driver",
        how: "compares the version of each libcudart with the CUDA version of the driver, major by major",
        when: "fails when the runtime that programs get is of a later major, warns when one on the disk is; such programs get error 35",
        next: "use an older runtime, or a driver of branch 450, 525 or 580 at least for runtime 11, 12 or 13",
        needs: &["library.driver.found"],
        run: library::runtime_fits,
    },
    Check {
        id: "library.symbols",
        title: "libcuda has the functions that it should have",
        how: "compares its exports with the list of every function and the version that introduced it",
        when: "warns when one is absent although the driver's version is new enough",
        next: "calls of it answer 302; a sandbox or another libcuda may hide it",
        needs: &["library.driver.found", "library.driver.stub"],
        run: library::symbols,
    },
    Check {
        id: "cuda.visible",
        title: "CUDA_VISIBLE_DEVICES says what it should",
        how: "reads the variable as CUDA does: the first entry that is not accepted ends the list",
        when: "fails when it hides every device, warns when an entry cuts off the rest: an index too high, -1, an unknown or ambiguous UUID, a repetition",
        next: "unset it, or correct the entry",
        needs: &["library.driver.found"],
        run: cuda::visible,
    },
    Check {
        id: "cuda.init",
        title: "cuInit succeeds",
        how: "calls cuInit in a process of its own, with a time limit",
        when: "fails when it answers anything but 0, hangs or crashes",
        next: "depends on the status; the finding says what each usually means",
        needs: &[
            "library.driver.found",
            "library.driver.stub",
            "library.driver.compat",
            "cuda.visible",
        ],
        run: cuda::init,
    },
    Check {
        id: "cuda.count",
        title: "CUDA, NVML and the device nodes count the same devices",
        how: "compares cuDeviceGetCount with NVML's count and the number of nodes",
        when: "fails when CUDA counts none, warns when the counts differ and neither the variable nor MIG explains it",
        next: "see device.mode, host.nodes and the kernel's log",
        needs: &["cuda.init"],
        run: cuda::counts,
    },
    Check {
        id: "cuda.order",
        title: "NVML and CUDA count in the same order",
        how: "joins the two by UUID and compares the indices",
        when: "warns when they differ and no variable asks for it",
        next: "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name devices by UUID",
        needs: &["cuda.count", "library.nvml.found"],
        run: cuda::order,
    },
    Check {
        id: "device.mode",
        title: "compute mode lets programs in",
        how: "reads NVML's compute mode and the programs that use the device",
        when: "fails when it is prohibited, warns when it is exclusive and somebody has it",
        next: "nvidia-smi -c DEFAULT as root, or another device",
        needs: &["library.nvml.found"],
        run: device::mode,
    },
    Check {
        id: "device.mig",
        title: "a GPU that is split has instances",
        how: "reads the MIG mode of each GPU and lists the instances",
        when: "fails when MIG is on and there is no instance, warns when a change waits for a reset",
        next: "create instances with nvidia-smi mig -cgi, or switch MIG off",
        needs: &["library.nvml.found"],
        run: device::mig,
    },
    Check {
        id: "device.health",
        title: "no memory errors, no repair pending",
        how: "reads uncorrected ECC errors, remapped rows, pages waiting to be retired, and the action that the driver asks for",
        when: "fails when the driver asks for an action or remapping failed, warns about errors and pending repairs",
        next: "drain the device, then reset or reboot",
        needs: &["library.nvml.found"],
        run: device::health,
    },
    Check {
        id: "device.clocks",
        title: "nothing slows the clocks down",
        how: "reads the clocks event reasons (once: throttle reasons)",
        when: "warns about heat and power brake; never about idleness or the power cap, which are normal",
        next: "look after cooling and power supply",
        needs: &["library.nvml.found"],
        run: device::clocks,
    },
    Check {
        id: "device.link",
        title: "the PCIe link is as wide as it could be",
        how: "compares the link's lanes with the maximum, and its generation too while a kernel runs",
        when: "warns when it is narrower or slower than possible",
        next: "reseat the board, look at the slot and the BIOS",
        needs: &["library.nvml.found"],
        run: device::link,
    },
    Check {
        id: "memory.pinned",
        title: "pinned memory works as claimed",
        how: "reads the attributes; with --probe copies by addresses alone, has a kernel use pinned memory, and adds on both sides at once",
        when: "warns when claim and behaviour differ",
        next: "do not rely on the attribute here",
        needs: &["cuda.init"],
        run: memory::pinned,
    },
    Check {
        id: "memory.register",
        title: "registering works as claimed",
        how: "reads the attributes; with --probe registers a page, also a read-only one, and has a kernel use it by the host's address",
        when: "warns when claim and behaviour differ",
        next: "do not rely on the attribute here",
        needs: &["cuda.init"],
        run: memory::register,
    },
    Check {
        id: "memory.managed",
        title: "managed memory works as claimed",
        how: "reads the attributes; with --probe has a kernel use managed memory, and the host touch it while another one runs",
        when: "warns when claim and behaviour differ",
        next: "do not rely on the attribute here",
        needs: &["cuda.init"],
        run: memory::managed,
    },
    Check {
        id: "memory.pool",
        title: "stream-ordered allocation works as claimed",
        how: "reads the attributes; with --probe allocates, fills and frees in stream order, also from pools on the host",
        when: "warns when claim and behaviour differ",
        next: "do not rely on the attribute here",
        needs: &["cuda.init"],
        run: memory::pool,
    },
    Check {
        id: "memory.vmm",
        title: "virtual memory management works as claimed",
        how: "reads the attributes; with --probe reserves, creates, maps, sets access, writes and takes it all down, also on the host, and exports a dma-buf",
        when: "warns when claim and behaviour differ",
        next: "do not rely on the attribute here",
        needs: &["cuda.init"],
        run: memory::vmm,
    },
    Check {
        id: "memory.pageable",
        title: "access to pageable memory is as claimed",
        how: "compares CUDA's attributes with NVML's addressing mode; with --probe has a kernel use plain memory",
        when: "warns when they disagree, or claim and behaviour differ",
        next: "trust what was tried",
        needs: &["cuda.init"],
        run: memory::pageable,
    },
    Check {
        id: "peer.access",
        title: "devices reach each other, both ways",
        how: "asks cuDeviceCanAccessPeer for every ordered pair, and NVML for its word on the same pair",
        when: "warns when access goes one way only, or NVML and CUDA disagree",
        next: "copies still work, through the host; look at IOMMU and ACS settings",
        needs: &["cuda.init"],
        run: peer::access,
    },
];

/// Finds a check by its id.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_eight_and_each_is_complete() {
        assert_eq!(CHECKS.len(), 28);
        for check in CHECKS {
            for text in [check.title, check.how, check.when, check.next] {
                assert!(
                    !text.is_empty() && !text.ends_with('.'),
                    "{}: {text}",
                    check.id
                );
            }
        }
    }

    #[test]
    fn ids_are_unique_and_needs_come_first() {
        for (place, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..place].iter().all(|other| other.id != check.id));
            for need in check.needs {
                let found = CHECKS[..place].iter().any(|other| other.id == *need);
                assert!(
                    found,
                    "{} needs {need}, which does not run before",
                    check.id
                );
            }
        }
    }
}
