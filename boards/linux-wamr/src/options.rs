//! The command line.
use std::path::PathBuf;

use crate::slots::Shipped;

pub const USAGE: &str = "\
thimble-wamr MODULE.wasm --gateway HOST:PORT [options]

Runs a module of Thimble under WAMR's fast interpreter, until it is ended. It says no good-bye then: to the gateway that is a
power cut.

  --gateway HOST:PORT    where the MQTT-SN gateway listens, UDP
  --seed N               what tells this device from others of its kind, 0 to 4294967295 (default: random)
  --state FILE           keeps the device's state, and goes on from it (default: none is kept)
  --stack BYTES          WAMR's operand stack, from the build's report (default: 3072)
  --budget INSTRUCTIONS  of WAMR that one call may take, 1 to 2147483647 (default: 10000000)
  --slots FOLDER         takes updates of the application, which are kept there (default: none are taken)
  --key FILE             whose updates: a public key of Ed25519 in PEM; with --slots
  --name NAME            the application, as updates name it (default: the module's file name)
  --app-version X.Y.Z    of MODULE.wasm; only what is newer is taken (default: 0.0.0)
  --trial SECONDS        an update may take to confirm, 1 to 86400 (default: 300)
  --memory               says how much memory the module takes, as JSON, and ends
  --lockstep             is driven on stdin and stdout, see boards/common/lockstep.c
  --json                 says on stdout what it runs, as JSON

Example: thimble-wamr light.wasm --gateway 127.0.0.1:1884 --seed 42 --state light.state
";

/// One WAMR instruction takes some nanoseconds: a call that needs more than these is not going to end.
const BUDGET_DEFAULT: i32 = 10_000_000;

const TRIAL_S_DEFAULT: u32 = 300;
/// A day, which the clock of 32 bits still tells from the past.
const TRIAL_S_MAX: u32 = 86_400;

pub enum Work {
    Run { gateway: String },
    Lockstep,
    Memory,
}

pub struct Options {
    pub module: PathBuf,
    pub work: Work,
    pub seed: Option<u32>,
    pub state: Option<PathBuf>,
    /// 0: the default of module-wamr.h.
    pub stack_bytes: usize,
    pub budget: i32,
    pub json: bool,
    pub updates: Option<(PathBuf, Shipped)>,
}

/// What was asked for, or what is wrong with it.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut module = None;
    let mut gateway = None;
    let mut work = None;
    let mut options = Options {
        module: PathBuf::new(),
        work: Work::Memory,
        seed: None,
        state: None,
        stack_bytes: 0,
        budget: BUDGET_DEFAULT,
        json: false,
        updates: None,
    };
    let (mut slots, mut key, mut name, mut version) = (None, None, None, [0; 3]);
    let mut trial_s = TRIAL_S_DEFAULT;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument}: a value is missing"));
        match argument.as_str() {
            "--gateway" => gateway = Some(value()?),
            "--seed" => options.seed = Some(number(&argument, &value()?)?),
            "--state" => options.state = Some(PathBuf::from(value()?)),
            "--stack" => options.stack_bytes = number::<u32>(&argument, &value()?)? as usize,
            "--budget" => options.budget = positive(&argument, &value()?)?,
            "--slots" => slots = Some(PathBuf::from(value()?)),
            "--key" => key = Some(PathBuf::from(value()?)),
            "--name" => name = Some(value()?),
            "--app-version" => version = triple(&value()?)?,
            "--trial" => trial_s = seconds(&argument, &value()?)?,
            "--json" => options.json = true,
            "--lockstep" => work = Some(Work::Lockstep),
            "--memory" => work = Some(Work::Memory),
            _ if argument.starts_with("--") => return Err(format!("{argument}: no such option")),
            _ if module.is_some() => return Err(format!("{argument}: one module at a time")),
            _ => module = Some(PathBuf::from(&argument)),
        }
    }
    options.module = module.ok_or("MODULE.wasm is missing")?;
    options.work = match work {
        Some(work) => work,
        None => Work::Run { gateway: gateway.ok_or("--gateway HOST:PORT is missing")? },
    };
    if let Some(folder) = slots {
        let stem = options.module.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let shipped = Shipped {
            module: options.module.clone(),
            name: name.or(stem).unwrap_or_default(),
            version,
            trial_ms: trial_s * 1000,
            key: key.ok_or("--slots: --key FILE is missing")?,
        };
        options.updates = Some((folder, shipped));
    }
    Ok(options)
}

fn triple(text: &str) -> Result<[u16; 3], String> {
    let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.and_then(|parts| parts.try_into().ok()).ok_or(format!("--app-version {text}: three numbers, such as 1.2.3"))
}

/// WAMR takes 0 and less for no budget at all: no call would be ended.
fn positive(option: &str, text: &str) -> Result<i32, String> {
    number(option, text).and_then(|value: i32| {
        (value > 0).then_some(value).ok_or(format!("{option} {text}: 1 to {}", i32::MAX))
    })
}

fn seconds(option: &str, text: &str) -> Result<u32, String> {
    let range = 1..=TRIAL_S_MAX;
    number(option, text).and_then(|seconds| {
        range.contains(&seconds).then_some(seconds).ok_or(format!("{option} {text}: 1 to {TRIAL_S_MAX}"))
    })
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} {text}: not a number, or out of range"))
}
