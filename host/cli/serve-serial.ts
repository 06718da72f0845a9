// thimble serve-serial: boards on serial lines, on the network of an MQTT-SN gateway.

import { gatewayOf } from './addresses.js';
import { count, number, print, printJson } from './output.js';
import { describeLine, openSerialLines, type SerialLines } from './serial-lines.js';
import { untilStopped } from './stop.js';

export interface ServeSerialCommandOptions {
  readonly gateway: string;
  readonly baud?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

export async function runServeSerial(names: readonly string[], options: ServeSerialCommandOptions): Promise<void> {
  const { baud } = options;
  const gateway = gatewayOf(options.gateway);
  const served = await openSerialLines(names, { gateway, baud, verbose: options.verbose === true });
  const stopped = untilStopped(); // before the announcement: who reads it may already ask for the end
  try {
    announce(served, options);
    await stopped;
    if (options.json !== true) report(served);
  } finally {
    await served.close();
  }
}

function announce({ lines }: SerialLines, { gateway, json }: ServeSerialCommandOptions): void {
  if (json === true) {
    printJson({ gateway, lines });
    return;
  }
  for (const line of lines) print(describeLine(line));
  print(`The gateway is ${gateway}; Ctrl-C stops`);
}

function report({ counters: { up, down, dropped } }: SerialLines): void {
  print(`${count(up, 'packet')} to the gateway, ${number(down)} to boards, ${number(dropped)} dropped`);
}
