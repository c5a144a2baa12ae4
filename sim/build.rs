//! Gives the shared library the name and the binding that a driver has.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Programs record this name, and the loader finds the library under it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    // A call inside the library must not go through an interposer's function of the same name: the real driver's
    // inner calls cannot be seen from outside either.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
    // Worker threads and handed-out addresses outlive every `dlclose`.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
