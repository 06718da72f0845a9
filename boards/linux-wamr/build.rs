//! Compiles what boards share in C, against the WAMR that wamrx-sys brings along.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const COMMON: &str = "../common";
const SOURCES: [&str; 5] = ["module-wamr.c", "restart.c", "boot-log.c", "slip.c", "update.c"];
const OWN: &str = "c";
/// A board has the one or the other, this program both: what both define gets a name of its own (src/shared.rs).
const LOOPS: [&str; 2] = ["loop", "lockstep"];

/// WAMR's budget of instructions, which .cargo/config.toml asks for.
const METERING: &str = "-DWASM_ENABLE_INSTRUCTION_METERING=1";

fn main() {
    println!("cargo:rerun-if-env-changed=CFLAGS");
    let is_metered = env::var("CFLAGS").is_ok_and(|flags| flags.split_whitespace().any(|flag| flag == METERING));
    assert!(is_metered, "CFLAGS lack {METERING}: run cargo in boards/linux-wamr, whose .cargo/config.toml has it");
    let headers = wamr_headers();
    let mut build = compiler(&headers);
    for source in SOURCES {
        build.file(format!("{COMMON}/{source}"));
    }
    build.file(format!("{OWN}/link.c")).define("MODULE_WAMR_UPDATES", None).compile("thimble");
    for name in LOOPS {
        let mut build = compiler(&headers);
        build.define("LOCKSTEP_INSTRUCTIONS", "module_wamr_instructions").flag("-include").flag("module-wamr.h");
        for what in ["send", "event", "log"] {
            build.define(&format!("board_{what}"), format!("{name}_{what}").as_str());
        }
        build.file(format!("{COMMON}/{name}.c")).compile(&format!("thimble-{name}"));
    }
    for folder in [COMMON, OWN] {
        for file in fs::read_dir(folder).expect("a folder of this board's C") {
            println!("cargo:rerun-if-changed={}", file.expect("an entry").path().display());
        }
    }
}

fn compiler(headers: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build.include(COMMON).include(headers).std("c11").warnings(true).extra_warnings(true).warnings_into_errors(true);
    build
}

/// wamrx-sys does not say where its headers are; cargo says where wamrx-sys is.
fn wamr_headers() -> PathBuf {
    let cargo = env::var("CARGO").expect("cargo runs build scripts");
    let output = Command::new(cargo)
        // Only crates of this platform: others need not have been downloaded.
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .arg(env::var("TARGET").expect("cargo names the target"))
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let manifest = text
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("/wamrx-sys-"))
        .expect("wamrx-sys is a dependency");
    PathBuf::from(manifest).with_file_name("wasm-micro-runtime/core/iwasm/include")
}
