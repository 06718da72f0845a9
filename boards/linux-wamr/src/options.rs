//! The command line.
use std::path::PathBuf;

pub const USAGE: &str = "\
thimble-wamr MODULE.wasm --gateway HOST:PORT [options]

Runs a module of Thimble under WAMR's fast interpreter, until it is ended. It says no good-bye then: to the gateway that is a
power cut.

  --gateway HOST:PORT    where the MQTT-SN gateway listens, UDP
  --seed N               what tells this device from others of its kind, 0 to 4294967295 (default: random)
  --state FILE           keeps the device's state, and goes on from it (default: none is kept)
  --stack BYTES          WAMR's operand stack, from the build's report (default: 3072)
  --budget INSTRUCTIONS  of WAMR that one call may take (default: 10000000)
  --memory               says how much memory the module takes, as JSON, and ends
  --lockstep             is driven on stdin and stdout, see boards/common/lockstep.c
  --json                 says on stdout what it runs, as JSON

Example: thimble-wamr light.wasm --gateway 127.0.0.1:1884 --seed 42 --state light.state
";

/// One WAMR instruction takes some nanoseconds: a call that needs more than these is not going to end.
const BUDGET_DEFAULT: i32 = 10_000_000;

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
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument}: a value is missing"));
        match argument.as_str() {
            "--gateway" => gateway = Some(value()?),
            "--seed" => options.seed = Some(number(&argument, &value()?)?),
            "--state" => options.state = Some(PathBuf::from(value()?)),
            "--stack" => options.stack_bytes = number(&argument, &value()?)?,
            "--budget" => options.budget = number(&argument, &value()?)?,
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
    Ok(options)
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} {text}: not a number, or out of range"))
}
