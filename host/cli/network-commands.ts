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
}
