// The command line: what there is to type. Each subcommand is a file beside this one and is loaded when it is called.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { PACKAGE_ROOT } from '../firmware/paths.js';
import { Exit, explain, failureAsJson, UsageError } from './failure.js';
import { addIdentityCommands } from './identity-commands.js';
import { addNetworkCommands } from './network-commands.js';
import { beginOutput, printError, printFailureJson } from './output.js';
import { addProjectCommands } from './project-commands.js';

const { version } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string };

const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

function createProgram(): Command {
  const program = new Command('thimble')
    .description('MQTT that fits in a thimble: build devices, simulate fleets, run the gateway and broker.')
    .version(version)
    .configureOutput({ outputError: () => {} }) // said below, once and with a way out
    .configureHelp({ sortSubcommands: false })
    .exitOverride();

  program
    .command('sim')
    .description('run a fleet of devices, its gateway and its broker in virtual time')
    .argument('[SCENARIO]', 'a JSON file, or the name of a scenario that comes with thimble', 'lab')
    .option('--seed <n>', "what decides over everything random, 0 to 4294967295; default: the scenario's")
    .option('--devices <n>', "how many devices instead of the scenario's, its classes in proportion; up to 131072")
    .option('--hours <h>', "virtual hours instead of the scenario's duration, above 0, up to 8760")
    .option('--links <file>', 'replay measured links (CSV, see docs/LINKS.md) instead of the modelled losses')
    .option('--pcap <file>', 'write every datagram on the air for Wireshark (decode UDP port 1884 as MQTT-SN)')
    .option('--report <file>', 'write the report as JSON')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble sim lab --seed 7 --pcap lab.pcap')
    .action(async (scenario, options) => (await import('./sim.js')).runSim(scenario, options));

  program
    .command('build')
    .description(
      'compile an application (or all examples and modules), check it, and make all that a board needs of it',
    )
    .argument('[APP]', 'a file, or the name of an example or module; default: all of them')
    .option('--board <name>', 'the board it is for, see thimble boards; default: none, and no budget')
    .option('--out <file>', 'where the module goes, and what belongs to it beside it; default: build/[BOARD/]APP.wasm')
    .option('--use <name=value>', 'a limit other than the default, such as TOPICS_MAX=24; repeatable', collect)
    .option('--app-version <x.y.z>', "the application's version; default: that of the nearest package.json, or 0.0.0")
    .option('--key <file>', 'Ed25519 key in PEM that signs the manifest; default: it is not signed')
    .option('--checked', 'native code that checks each access to memory; default: off')
    .option('--debug', 'with names and assertions, optimised less; default: off')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble build sensor --use TOPICS_MAX=4 --out sensor.wasm')
    .action(async (app, options) => (await import('./build.js')).runBuild(app, options));

  program
    .command('boards')
    .description('the boards that an application can be built for')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble boards --json')
    .action(async (options) => (await import('./boards.js')).runBoards(options));

  program
    .command('broker')
    .description(
      'run an MQTT broker (3.1, 3.1.1, 5.0) and an MQTT-SN gateway (1.2), or the gateway before another broker',
    )
    .optionsGroup('Where it listens:')
    .option('--host <address>', 'address or name to listen on; 0.0.0.0 for every interface', '127.0.0.1')
    .option('--mqtt <port>', 'TCP port of MQTT, 0 for any free one; default: 1883, where no other listener is named')
    .option('--mqtts <port>', 'TCP port of MQTT over TLS, such as 8883; default: none')
    .option('--ws <port>', 'TCP port of MQTT over WebSocket, at the path /mqtt; default: none')
    .option('--wss <port>', 'TCP port of MQTT over WebSocket and TLS; default: none')
    .option('--sn <port>', 'UDP port of MQTT-SN 1.2, 0 for any free one', '1884')
    .option('--no-sn', 'no MQTT-SN: the broker alone')
    .option('--broadcast <ip:port>', 'broadcast address or multicast group for ADVERTISE and GWINFO; default: none')
    .option('--metrics <port>', 'TCP port where Prometheus reads /metrics, 0 for any free one; default: none')
    .option('--serial <line>', 'a board on a serial line, as of serve-serial; repeatable', collect)
    .option('--baud <n>', 'bits per second of the serial lines; default: 115200')
    .optionsGroup('TLS of --mqtts and --wss:')
    .option('--tls-key <file>', 'PEM of the private key, without a passphrase')
    .option('--tls-cert <file>', "PEM of the broker's certificate, then of those between it and its authority")
    .option(
      '--tls-ca <file>',
      "PEM of who signs clients' certificates, which are then required; default: none are asked for",
    )
    .option('--tls-crl <file>', 'PEM of lists of revoked client certificates; default: none')
    .optionsGroup('Another broker instead of our own:')
    .option('--upstream <url>', 'mqtt://, mqtts://, ws:// or wss://; repeatable: nodes of one cluster', collect)
    .option('--upstream-ca <file>', "PEM of who signs the broker's certificate; default: the system's authorities")
    .option('--upstream-cert <file>', "PEM of the gateway's own certificate, with --upstream-key; default: none")
    .option('--upstream-key <file>', 'PEM of its key, without a passphrase')
    .option('--upstream-insecure', 'take any certificate of the broker: only for trying things out; default: off')
    .option('--aggregate', 'one MQTT connection for all clients; default: one for each')
    .optionsGroup('What it knows and keeps:')
    .option(
      '--config <file>',
      'JSON with listeners, limits, identity and more, see docs/BROKER.md; SIGHUP reads it again',
    )
    .option(
      '--data <folder>',
      'where sessions and messages, of broker and gateway, outlive the process; made if missing; default: nowhere',
    )
    .option(
      '--durability <level>',
      'disk: what is acknowledged survives a power cut; process: kill -9 alone, and is faster; default: disk',
    )
    .option('--store <folder>', "like --data, for the gateway's sessions alone; default: nowhere")
    .optionsGroup('What it says:')
    .option('--log-level <level>', 'debug, info, warn or error, to stderr; default: warnings of the broker')
    .option('--log-format <format>', 'text, or json: one object a line; default: text')
    .option('--verbose', 'the same as --log-level debug')
    .option('--pcap <file>', 'write every MQTT-SN datagram for Wireshark')
    .option('--json', 'print where it listens as one JSON line')
    .addHelpText(
      'after',
      '\nExample:\n  thimble broker' +
        '\n  thimble broker --data /var/lib/thimble --metrics 9464' +
        '\n  thimble broker --mqtts 8883 --tls-key key.pem --tls-cert cert.pem' +
        '\n  thimble broker --upstream mqtts://broker.example:8883 --data /var/lib/thimble',
    )
    .action(async (options) => (await import('./broker.js')).runBroker(options));

  addNetworkCommands(program);
  addIdentityCommands(program);
  addProjectCommands(program);
  program.hook('preAction', (_, command) => refuseEmptyNames(command));
  return program;
}

/** A shell's variable that is not set must not become the current folder. Throws ERR_USAGE_FILE. */
function refuseEmptyNames(command: Command): void {
  const empty = command.options.find(
    (option) => /<(file|folder)>/.test(option.flags) && command.getOptionValue(option.attributeName()) === '',
  );
  if (empty !== undefined) throw new UsageError('ERR_USAGE_FILE', `${empty.long}: its name is empty`);
}

/** More options than these are not listed by a message. */
const OPTIONS_LISTED_MAX = 12;

/** What is wrong with the command line, and what is allowed; undefined where help or the version was asked for. */
function usageErrorOf(error: CommanderError, program: Command, argv: readonly string[]): UsageError | undefined {
  // `commander.help` is help for want of a command, which says all there is to say.
  if (error.exitCode === 0 || error.code === 'commander.help') return undefined;
  const wrong = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  const command = program.commands.find((c) => c.name() === argv[0]);
  if (command === undefined) {
    const names = program.commands.map((c) => c.name());
    return new UsageError('ERR_USAGE_COMMAND', `${wrong}; commands are ${names.join(', ')}`);
  }
  const { options: all } = command;
  const help = `thimble ${command.name()} --help`;
  if (all.length > OPTIONS_LISTED_MAX)
    return new UsageError('ERR_USAGE_OPTION', `${wrong}; ${help} lists what there is`);
  const options = [...all.map((option) => option.long), '--help'].join(', ');
  const usage = `thimble ${command.name()} ${command.usage()}`.replace('[options]', `[${options}]`);
  return new UsageError('ERR_USAGE_OPTION', `${wrong}; ${usage}`);
}

/** Runs what was typed, without the program's own name, to its end. Says on stderr what went wrong. */
export async function runCommand(argv: readonly string[]): Promise<Exit> {
  const program = createProgram();
  beginOutput();
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Exit.Done;
  } catch (error) {
    if (error instanceof CommanderError) {
      const usage = usageErrorOf(error, program, argv);
      if (usage !== undefined) sayFailure(usage, argv);
      return error.exitCode === 0 ? Exit.Done : Exit.Usage;
    }
    return sayFailure(error, argv);
  }
}

/** In words on stderr; and on stdout, where a program reads that. */
function sayFailure(error: unknown, argv: readonly string[]): Exit {
  const { exit, message } = explain(error);
  printError(message);
  if (argv.includes('--json')) printFailureJson(failureAsJson(error));
  return exit;
}
