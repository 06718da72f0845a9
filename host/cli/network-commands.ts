// The command line, continued: devices on a network, and the way there for boards without a socket.
import type { Command } from 'commander';

export function addNetworkCommands(program: Command): void {
  program
    .command('run')
    .description('run an application on V8, under WAMR or on an emulated board, against a gateway')
    .argument('<APP>', 'a file, a module (.wasm), firmware (.elf), or the name of an example')
    .option('--board <name>', 'the board it runs on, see thimble boards; default: V8, without limits')
    .optionsGroup('The network:')
    .option('--gateway <host:port>', 'where the MQTT-SN gateway is; default: 127.0.0.1:1884')
    .option('--own-broker <port>', 'a broker and a gateway of its own: TCP port of MQTT, 0 for any free one')
    .option(
      '--broadcast <ip:port>',
      'address where ADVERTISE and GWINFO are heard, and SEARCHGW goes; V8 only; default: nowhere',
    )
    .optionsGroup('The device:')
    .option('--seed <n>', 'what tells the device from others, 0 to 4294967295; default: a random one')
    .option('--state <file>', 'where its state outlives it; made if missing; default: nowhere')
    .option('--update-key <file>', 'PEM of the key whose updates it takes; V8, and boards that say so; default: none')
    .option('--for <seconds>', 'switch it off after so long; default: run until Ctrl-C')
    .optionsGroup('What it says:')
    .option('--verbose', 'a line on stderr for every datagram')
    .option('--json', 'print one JSON document at the end')
    .addHelpText(
      'after',
      '\nExample:\n  thimble run light --gateway 127.0.0.1:1884 --seed 42' +
        '\n  thimble run light --own-broker 0 --for 60',
    )
    .action(async (app, options) => (await import('./run.js')).runRun(app, options));

  program
    .command('serve-serial')
    .description('bring boards on serial lines to a gateway: a forwarder (MQTT-SN 1.2, 5.5)')
    .argument(
      '<LINE...>',
      'a serial device or terminal, tcp:HOST:PORT, or listen:PORT (0: any); =HEX behind it chooses its node id',
    )
    .option('--gateway <host:port>', 'where the MQTT-SN gateway is', '127.0.0.1:1884')
    .option('--baud <n>', 'bits per second of the devices', '115200')
    .option('--verbose', 'a line on stderr for every packet')
    .option('--json', 'print which line is which node as one JSON line')
    .addHelpText('after', '\nExample:\n  thimble serve-serial /dev/ttyACM0 /dev/ttyUSB0=0a01 --gateway 127.0.0.1:1884')
    .action(async (lines, options) => (await import('./serve-serial.js')).runServeSerial(lines, options));

  program
    .command('update')
    .description('publish a module, signed, to a device that takes updates, and say what became of it')
    .argument('<MODULE>', 'the module (.wasm); its name, version and board are those of the manifest beside it')
    .optionsGroup('Where to:')
    .option('--mqtt <host:port>', 'the MQTT broker, or its URL', '127.0.0.1:1883')
    .requiredOption('--topic <topic>', 'where the device wants its chunks')
    .option('--status <topic>', 'where the device tells; default: --topic with the last level called status')
    .optionsGroup('What it is:')
    .requiredOption('--key <file>', 'PEM of the private Ed25519 key that signs it')
    .option('--name <name>', 'the application that it is an update of; default: as the manifest or the file is called')
    .option('--app-version <version>', "such as 1.2.3; default: the manifest's, or that of the nearest package.json")
    .option('--board <name>', 'the board it is for; default: as the manifest says, or any')
    .option('--downgrade', 'may go back to an older version; default: off')
    .option('--again', 'may be tried where it was rolled back before; default: off')
    .optionsGroup('How:')
    .option('--chunk <octets>', 'of a message, 32 to 1400; default: 128')
    .option('--wait <seconds>', 'for the device to confirm, 1 to 86400; default: 600')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  openssl genpkey -algorithm ed25519 -out key.pem' +
        '\n  thimble update lamp.wasm --app-version 1.1.0 --key key.pem --topic fleet/0000002a/update',
    )
    .action(async (file, options) => (await import('./update.js')).runUpdate(file, options));
}
