//! Writes the exports of `libcudart.so.11.0` and gives the library its name and symbol version.

fn main() -> Result<(), cuwhy_sim_generate::Error> {
    cuwhy_sim_generate::runtime(cuwhy_sim_generate::Major::V11)
}
