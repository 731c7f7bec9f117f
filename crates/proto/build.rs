//! Compiles `proto/` into messages, clients and servers, and keeps the descriptor set with the values of our options.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const ROOT: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(false);
    for file in proto_files(PathBuf::from(ROOT))? {
        compiler.open_file(file)?;
    }
    // The encoded set keeps the values of our options; a `FileDescriptorSet` of prost-types would drop them.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("treenail.binpb"), &encoded)?;

    tonic_prost_build::configure()
        .include_file("treenail.rs")
        .btree_map(".")
        .compile_well_known_types(false)
        .compile_fds(prost_types::FileDescriptorSet::decode(encoded.as_slice())?)?;
    Ok(())
}

fn proto_files(folder: PathBuf) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
