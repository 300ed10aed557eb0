//! Empty on purpose: `links` in the manifest needs a build script.
//! It makes two versions of the core in one build an error of the resolver, instead of two plugin registries.
fn main() {}
