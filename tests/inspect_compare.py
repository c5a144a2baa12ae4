#!/usr/bin/env python3
"""Compares every number of `cuwhy inspect` with nvidia-smi and PyTorch, on a machine with a GPU.

    python3 tests/inspect_compare.py target/debug/cuwhy [--out FOLDER]

Needs nvidia-smi; torch and jsonschema are used where they are installed. nvidia-smi runs before and
after cuwhy: a value that changes must lie between the two, or be as close as the field allows.
Returns 0 when everything agrees, 1 otherwise.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


class Tally:
    """What was compared, and how it ended."""

    def __init__(self):
        self.rows = []

    def add(self, who, field, ours, theirs, agrees):
        self.rows.append((who, field, ours, theirs, agrees))

    def bad(self):
        return [row for row in self.rows if not row[4]]

    def show(self):
        for who, field, ours, theirs, agrees in self.rows:
            print(f"{'ok  ' if agrees else 'DIFF'}  {who:<10} {field:<42} {ours!s:<28} {theirs!s}")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def smi():
    return ElementTree.fromstring(run("nvidia-smi", "-q", "-x").stdout)


def number(text, unit=""):
    """`134.98 W` -> 134.98; `N/A` and the like -> None."""
    if text is None:
        return None
    found = re.match(r"\s*(-?[\d.]+)\s*" + re.escape(unit), text)
    return float(found.group(1)) if found else None


def word(text):
    return None if text is None or text.strip() in ("N/A", "[N/A]", "") else text.strip()


def enabled(text):
    return {"Enabled": True, "Disabled": False, "Yes": True, "No": False}.get((text or "").strip())


def pci(text):
    domain, bus, rest = text.lower().split(":")
    return f"{int(domain, 16):04x}:{bus}:{rest}"


def total(gpu, path, names):
    values = [number(gpu.findtext(f"{path}/{name}")) for name in names]
    known = [value for value in values if value is not None]
    return sum(known) if known else None


REASONS = {
    "gpu_idle": "gpu_idle",
    "applications_clocks_setting": "applications_clocks_setting",
    "sw_power_cap": "sw_power_cap",
    "hw_slowdown": "hw_slowdown",
    "hw_thermal_slowdown": "hw_thermal_slowdown",
    "hw_power_brake_slowdown": "hw_power_brake_slowdown",
    "sync_boost": "sync_boost",
    "sw_thermal_slowdown": "sw_thermal_slowdown",
    "display_clocks_setting": "display_clock_setting",
}


def reasons(gpu):
    block = gpu.find("clocks_event_reasons")
    if block is None:
        block = gpu.find("clocks_throttle_reasons")
    if block is None:
        return None
    active = []
    for theirs, ours in REASONS.items():
        for child in block:
            if child.tag.endswith("reason_" + theirs) and (child.text or "").strip() == "Active":
                active.append(ours)
    return sorted(active)


def scaled(value, factor):
    return None if value is None else value * factor


# Field of ours, what nvidia-smi says (in our unit), and how far apart two readings may be.
def table(gpu):
    text = gpu.findtext
    mebibytes = lambda path: scaled(number(text(path), "MiB"), MIB)
    hertz = lambda path: scaled(number(text(path), "MHz"), 1_000_000)
    milliwatts = lambda *paths: next(
        (scaled(value, 1000) for path in paths if (value := number(text(path), "W")) is not None), None
    )
    power = "gpu_power_readings" if gpu.find("gpu_power_readings") is not None else "power_readings"
    state = number((text("performance_state") or "").lstrip("P"))
    unsettled = 64 * MIB
    return {
        "name": (word(text("product_name")), None),
        "architecture": (word(text("product_architecture")), None),
        "pci": (pci(gpu.get("id")), None),
        "serial": (word(text("serial")), None),
        "minor_number": (number(text("minor_number")), 0),
        "vbios_version": (word(text("vbios_version")), None),
        "board_part_number": (word(text("board_part_number")), None),
        "gsp_firmware_version": (word(text("gsp_firmware_version")), None),
        "persistence_enabled": (enabled(text("persistence_mode")), None),
        "addressing_mode": ((word(text("addressing_mode")) or "").lower() or None, None),
        "mig_enabled": (enabled(text("mig_mode/current_mig")), None),
        "mig_pending_enabled": (enabled(text("mig_mode/pending_mig")), None),
        "compute_mode": ((word(text("compute_mode")) or "").lower().replace(" ", "_") or None, None),
        "recovery_action": ((word(text("gpu_recovery_action")) or "").lower().replace(" ", "_") or None, None),
        "memory_total_bytes": (mebibytes("fb_memory_usage/total"), MIB),
        "memory_reserved_bytes": (mebibytes("fb_memory_usage/reserved"), MIB),
        "memory_used_bytes": (mebibytes("fb_memory_usage/used"), unsettled),
        "memory_free_bytes": (mebibytes("fb_memory_usage/free"), unsettled),
        "bar1_total_bytes": (mebibytes("bar1_memory_usage/total"), MIB),
        "bar1_used_bytes": (mebibytes("bar1_memory_usage/used"), unsettled),
        "bar1_free_bytes": (mebibytes("bar1_memory_usage/free"), unsettled),
        "utilisation_percent": (number(text("utilization/gpu_util")), 5),
        "memory_utilisation_percent": (number(text("utilization/memory_util")), 5),
        "encoder_utilisation_percent": (number(text("utilization/encoder_util")), 5),
        "decoder_utilisation_percent": (number(text("utilization/decoder_util")), 5),
        "temperature_celsius": (number(text("temperature/gpu_temp")), 2),
        "temperature_memory_celsius": (number(text("temperature/memory_temp")), 2),
        "fan_percent": (number(text("fan_speed")), 3),
        "power_draw_milliwatts": (milliwatts(f"{power}/average_power_draw", f"{power}/power_draw", f"{power}/instant_power_draw"), 15000),
        "power_limit_milliwatts": (milliwatts(f"{power}/current_power_limit", f"{power}/enforced_power_limit"), 0),
        "power_limit_default_milliwatts": (milliwatts(f"{power}/default_power_limit"), 0),
        "power_limit_minimum_milliwatts": (milliwatts(f"{power}/min_power_limit"), 0),
        "power_limit_maximum_milliwatts": (milliwatts(f"{power}/max_power_limit"), 0),
        "performance_state": (state, 2),
        "graphics_clock_hertz": (hertz("clocks/graphics_clock"), 100e6),
        "sm_clock_hertz": (hertz("clocks/sm_clock"), 100e6),
        "memory_clock_hertz": (hertz("clocks/mem_clock"), 100e6),
        "video_clock_hertz": (hertz("clocks/video_clock"), 100e6),
        "graphics_clock_maximum_hertz": (hertz("max_clocks/graphics_clock"), 0),
        "sm_clock_maximum_hertz": (hertz("max_clocks/sm_clock"), 0),
        "memory_clock_maximum_hertz": (hertz("max_clocks/mem_clock"), 0),
        "video_clock_maximum_hertz": (hertz("max_clocks/video_clock"), 0),
        "ecc_enabled": (enabled(text("ecc_mode/current_ecc")), None),
        "ecc_pending_enabled": (enabled(text("ecc_mode/pending_ecc")), None),
        "ecc_corrected_volatile": (total(gpu, "ecc_errors/volatile", ["sram_correctable", "dram_correctable"]), 0),
        "ecc_uncorrected_volatile": (total(gpu, "ecc_errors/volatile", ["sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable"]), 0),
        "ecc_corrected_aggregate": (total(gpu, "ecc_errors/aggregate", ["sram_correctable", "dram_correctable"]), 0),
        "ecc_uncorrected_aggregate": (total(gpu, "ecc_errors/aggregate", ["sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable"]), 0),
        "remapped_rows_corrected": (number(text("remapped_rows/remapped_row_corr")), 0),
        "remapped_rows_uncorrected": (number(text("remapped_rows/remapped_row_unc")), 0),
        "remapped_rows_pending": (enabled(text("remapped_rows/remapped_row_pending")), None),
        "remapped_rows_failed": (enabled(text("remapped_rows/remapped_row_failure")), None),
        "retired_pages_pending": (enabled(text("retired_pages/pending_retirement")), None),
        "pcie_generation": (number(text("pci/pci_gpu_link_info/pcie_gen/current_link_gen")), 4),
        "pcie_generation_maximum": (number(text("pci/pci_gpu_link_info/pcie_gen/max_link_gen")), 0),
        "pcie_width": (number(text("pci/pci_gpu_link_info/link_widths/current_link_width")), 0),
        "pcie_width_maximum": (number(text("pci/pci_gpu_link_info/link_widths/max_link_width")), 0),
        "pcie_replays": (number(text("pci/replay_counter")), 10),
        "clocks_event_reasons": (reasons(gpu), None),
    }


def agrees(ours, before, after, slack):
    if ours is None:
        return before is None or after is None
    if slack is None:
        plain = sorted(ours) if isinstance(ours, list) else ours
        return plain in (before, after)
    known = [value for value in (before, after) if value is not None]
    if not known:
        return False
    return min(known) - slack <= ours <= max(known) + slack


def compare_smi(report, before, after, tally):
    tally.add("smi", "driver.version", report["driver"]["version"], before.findtext("driver_version"),
              report["driver"]["version"] == before.findtext("driver_version"))
    tally.add("smi", "driver.cuda", report["driver"]["cuda"], before.findtext("cuda_version"),
              report["driver"]["cuda"] == before.findtext("cuda_version"))
    tally.add("smi", "driver.nvml_devices", report["driver"]["nvml_devices"], before.findtext("attached_gpus"),
              str(report["driver"]["nvml_devices"]) == before.findtext("attached_gpus"))
    compared = set()
    for first, second in zip(before.findall("gpu"), after.findall("gpu")):
        uuid = first.findtext("uuid")
        device = next((device for device in report["devices"] if device["uuid"] == uuid), None)
        if device is None:
            tally.add("smi", uuid, None, uuid, False)
            continue
        one, two = table(first), table(second)
        for field, (theirs, slack) in one.items():
            compared.add(field)
            ours = device[field]
            shown = ours if ours is not None else f"null ({device['absent'].get(field)})"
            tally.add("smi", field, shown, theirs, agrees(ours, theirs, two[field][0], slack))
        listed = sorted(int(process.findtext("pid")) for process in first.findall("processes/process_info"))
        ours = sorted(process["pid"] for process in device["processes"] or [])
        tally.add("smi", "processes", ours, listed, set(listed) <= set(ours) or set(ours) <= set(listed))
        compared.add("processes")
    return compared


def compare_topology(report, tally):
    whole = sorted((device for device in report["devices"] if device["kind"] == "gpu"), key=lambda device: device["nvml_index"])
    if len(whole) < 2:
        return
    words = {"internal": "X", "single": "PIX", "multiple": "PXB", "host_bridge": "PHB", "node": "NODE", "system": "SYS"}
    lines = re.sub(r"\x1b\[[0-9;]*m", "", run("nvidia-smi", "topo", "-m").stdout).splitlines()
    for line in lines:
        found = re.match(r"GPU(\d+)\s+(.*)", line)
        if not found:
            continue
        row = int(found.group(1))
        cells = found.group(2).split()[: len(whole)]
        if not cells or "GPU0" in cells[0]:
            continue
        for column, theirs in enumerate(cells):
            if column == row:
                continue
            link = next(link for link in report["links"] if link["from"] == whole[row]["uuid"] and link["to"] == whole[column]["uuid"])
            ours = f"NV{link['nvlinks']}" if link["nvlinks"] else words.get(link["ancestor"], link["ancestor"])
            tally.add("topo", f"{row} -> {column}", ours, theirs, ours == theirs)


def matrix(*command):
    """The rows and cells of a matrix of nvidia-smi: {(row, column): word}."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", run("nvidia-smi", *command).stdout).splitlines()
    found = {}
    for line in lines:
        row = re.match(r"\s*GPU(\d+)\s+(?!GPU)(.*)", line)
        if row:
            found.update({(int(row.group(1)), column): word for column, word in enumerate(row.group(2).split())})
    return found


def compare_peers(report, tally):
    """The P2P matrices, which are NVML's, and the links that are up."""
    words = {"ok": "OK", "chipset_not_supported": "CNS", "gpu_not_supported": "GNS", "topology_not_supported": "TNS",
             "disabled_by_registry": "DR", "not_supported": "NS", "unknown": "U"}
    whole = sorted((device for device in report["devices"] if device["kind"] == "gpu"), key=lambda device: device["nvml_index"])
    for letter, key in (("r", "nvml_read"), ("w", "nvml_write"), ("n", "nvml_nvlink"), ("a", "nvml_atomics")):
        theirs = matrix("topo", "-p2p", letter) if len(whole) > 1 else {}
        for link in report["links"]:
            row, column = (next(place for place, device in enumerate(whole) if device["uuid"] == link[end]) for end in ("from", "to"))
            ours = words.get(link[key], link[key])
            tally.add("p2p", f"{key} {row} -> {column}", ours, theirs.get((row, column)), ours == theirs.get((row, column)))
    # One block for each GPU, and in it one line with a speed for each link that is up.
    blocks = re.split(r"^GPU \d+: ", run("nvidia-smi", "nvlink", "-s").stdout, flags=re.MULTILINE)[1:]
    for device in whole:
        block = next((block for block in blocks if device["uuid"] in block), "")
        theirs = len(re.findall(r"Link \d+: [\d.]+ GB/s", block))
        ours = len([link for link in device["nvlinks"] or [] if link["active"]])
        tally.add("nvlink", f"{device['nvml_index']} links that are up", ours, theirs, ours == theirs)


def compare_torch(report, tally):
    try:
        import torch
    except ImportError:
        print("torch is not installed: not compared")
        return
    attribute = "CU_DEVICE_ATTRIBUTE_"
    for ordinal in range(torch.cuda.device_count()):
        theirs = torch.cuda.get_device_properties(ordinal)
        device = next(device for device in report["devices"] if device["cuda_index"] == ordinal)
        known = device["attributes"]
        pairs = {
            "name": device["name"],
            "total_memory": device["cuda_memory_total_bytes"],
            "multi_processor_count": device["multiprocessors"],
            "major": int(device["compute_capability"].split(".")[0]),
            "minor": int(device["compute_capability"].split(".")[1]),
            "uuid": device["uuid"][4:],
            "is_integrated": int(device["integrated"]),
            "is_multi_gpu_board": known.get(attribute + "MULTI_GPU_BOARD"),
            "warp_size": known.get(attribute + "WARP_SIZE"),
            "L2_cache_size": known.get(attribute + "L2_CACHE_SIZE"),
            "max_threads_per_multi_processor": known.get(attribute + "MAX_THREADS_PER_MULTIPROCESSOR"),
            "max_threads_per_block": known.get(attribute + "MAX_THREADS_PER_BLOCK"),
            "regs_per_multiprocessor": known.get(attribute + "MAX_REGISTERS_PER_MULTIPROCESSOR"),
            "shared_memory_per_block": known.get(attribute + "MAX_SHARED_MEMORY_PER_BLOCK"),
            "shared_memory_per_block_optin": known.get(attribute + "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
            "shared_memory_per_multiprocessor": known.get(attribute + "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR"),
            "clock_rate": known.get(attribute + "CLOCK_RATE"),
            "memory_clock_rate": known.get(attribute + "MEMORY_CLOCK_RATE"),
            "memory_bus_width": known.get(attribute + "GLOBAL_MEMORY_BUS_WIDTH"),
            "pci_bus_id": known.get(attribute + "PCI_BUS_ID"),
            "pci_device_id": known.get(attribute + "PCI_DEVICE_ID"),
            "pci_domain_id": known.get(attribute + "PCI_DOMAIN_ID"),
        }
        for field, ours in pairs.items():
            if not hasattr(theirs, field):
                continue
            value = getattr(theirs, field)
            tally.add(f"torch:{ordinal}", field, ours, value, str(ours) == str(value))


def check_nulls(value, place, tally):
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_nulls(item, f"{place}[{index}]", tally)
    elif isinstance(value, dict):
        for key, item in value.items():
            if item is None and key not in value.get("absent", {}):
                tally.add("report", f"{place}.{key}", None, "no reason", False)
            check_nulls(item, f"{place}.{key}", tally)


def check_schema(document, name, tally):
    places = [os.path.join(HERE, *above, "docs", "schema", name) for above in ([".."], [])]
    path = next((place for place in places if os.path.exists(place)), places[0])
    if not os.path.exists(path):
        print(f"{path} is not here: schema not checked")
        return
    try:
        import jsonschema
    except ImportError:
        print("jsonschema is not installed: schema not checked here (the tests of cuwhy-cli check it)")
        return
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    faults = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]
    tally.add("schema", name, f"{len(faults)} faults", faults[:3], not faults)


def check_probes(diagnosis, tally):
    for device in diagnosis["report"]["devices"]:
        for key, capability in (device["capabilities"] or {}).items():
            if capability["probed"] is None:
                continue
            tally.add("probe", f"cuda:{device['cuda_index']} {key}", f"claimed {capability['claimed']}",
                      f"probed {capability['probed']}: {capability.get('evidence')}",
                      capability["claimed"] == capability["probed"])


def check_no_context(cuwhy, tally):
    """No context appears on any device while inspect runs: nvidia-smi would list the process."""
    child = subprocess.Popen([cuwhy, "inspect", "--format", "json", "--watch", "0.05", "--count", "20"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = []
    while child.poll() is None:
        names += re.findall(r"<process_name>([^<]*cuwhy[^<]*)</process_name>", run("nvidia-smi", "-q", "-x").stdout)
    tally.add("report", "no context while inspecting", names or "none seen", "none", not names)


def timing(cuwhy, tally):
    """Before anything else holds the device open, which would make every start faster."""

    def wall(*command):
        begin = time.perf_counter()
        run(*command)
        return (time.perf_counter() - begin) * 1000

    bare = (
        "import ctypes,time; b=time.perf_counter(); r=ctypes.CDLL('libcuda.so.1').cuInit(0); "
        "print((time.perf_counter()-b)*1000 if r == 0 else 'nan')"
    )
    times = {name: [] for name in ("cuwhy inspect", "nvidia-smi", "cuInit", "ask nvml", "ask cuda", "process with cuInit", "process without")}
    for _ in range(7):
        times["cuwhy inspect"].append(wall(cuwhy, "inspect"))
        times["nvidia-smi"].append(wall("nvidia-smi"))
        times["cuInit"].append(float(run(sys.executable, "-c", bare).stdout or "nan"))
        times["ask nvml"].append(wall(cuwhy, "ask", "nvml", "overview"))
        times["ask cuda"].append(wall(cuwhy, "ask", "cuda", "overview"))
        times["process with cuInit"].append(wall(sys.executable, "-c", bare))
        times["process without"].append(wall(sys.executable, "-c", "import ctypes,time"))
    median = {name: statistics.median(values) for name, values in times.items()}
    bound = median["nvidia-smi"] + median["cuInit"]
    tally.add("time", "overview, ms (median of 7)", f"{median['cuwhy inspect']:.1f}",
              f"nvidia-smi {median['nvidia-smi']:.1f} + cuInit {median['cuInit']:.1f} = {bound:.1f}", median["cuwhy inspect"] <= bound)
    print("milliseconds, median of 7: " + ", ".join(f"{name} {value:.1f}" for name, value in median.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cuwhy", help="the command to compare")
    parser.add_argument("--out", help="keep what was collected in this folder")
    parser.add_argument("--no-probe", action="store_true", help="do not try capabilities")
    arguments = parser.parse_args()
    cuwhy = os.path.abspath(arguments.cuwhy)
    tally = Tally()

    timing(cuwhy, tally)
    before = smi()
    inspected = run(cuwhy, "inspect", "all", "--format", "json")
    after = smi()
    tally.add("report", "exit code", inspected.returncode, "0 or 4", inspected.returncode in (0, 4))
    report = json.loads(inspected.stdout)
    compared = compare_smi(report, before, after, tally)
    compare_topology(report, tally)
    compare_peers(report, tally)
    compare_torch(report, tally)
    check_nulls(report, "report", tally)
    check_schema(report, "report-1.json", tally)
    check_no_context(cuwhy, tally)
    diagnosis = None
    if not arguments.no_probe:
        diagnosed = run(cuwhy, "doctor", "--probe", "--format", "json")
        diagnosis = json.loads(diagnosed.stdout)
        check_schema(diagnosis, "doctor-1.json", tally)
        check_probes(diagnosis, tally)

    tally.show()
    for device in report["devices"]:
        rest = [key for key, value in device.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool) and key not in compared]
        print(f"\n{device['uuid']}: numbers that neither tool shows: {', '.join(rest) or 'none'}")
    print(f"\nproblems in the report: {report['problems'] or 'none'}")
    if arguments.out:
        os.makedirs(arguments.out, exist_ok=True)
        for name, document in (("report.json", report), ("doctor.json", diagnosis)):
            with open(os.path.join(arguments.out, name), "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
        for section in ("overview", "devices", "memory", "libraries", "topology", "processes", "health"):
            with open(os.path.join(arguments.out, section + ".txt"), "w", encoding="utf-8") as file:
                file.write(run(cuwhy, "inspect", section).stdout)
        with open(os.path.join(arguments.out, "metrics.prom"), "w", encoding="utf-8") as file:
            file.write(run(cuwhy, "inspect", "--format", "prometheus").stdout)
        with open(os.path.join(arguments.out, "doctor.txt"), "w", encoding="utf-8") as file:
            file.write(run(cuwhy, "doctor", "--probe").stdout)
    bad = tally.bad()
    print(f"\n{len(tally.rows) - len(bad)} agree, {len(bad)} differ")
    for who, field, ours, theirs, _ in bad:
        print(f"  {who} {field}: ours {ours}, theirs {theirs}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
