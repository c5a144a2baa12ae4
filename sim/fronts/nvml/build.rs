//! Writes the exports that nobody has written, and gives the library its name.

fn main() -> Result<(), cuwhy_sim_generate::Error> {
    cuwhy_sim_generate::nvml()
}
