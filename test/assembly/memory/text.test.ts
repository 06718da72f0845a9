import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import { decode } from '../../../host/wire/index.js';
import { buildApp } from '../../host/firmware/modules.js';

const LINES: readonly [name: string, build: string, line: string][] = [
  ['a literal', "add('abc')", 'abc'],
  ['a literal in UTF-8', "add('21 °C €🌊')", '21 °C €🌊'],
  ['nothing', "add('')", ''],
  ['zero', 'addInt(0)', '0'],
  ['a number', 'addInt(1234567890)', '1234567890'],
  ['ten', 'addInt(10)', '10'],
  ['a negative number', 'addInt(-42)', '-42'],
  ['the largest number', 'addInt(i32.MAX_VALUE)', '2147483647'],
  ['the smallest number', 'addInt(i32.MIN_VALUE)', '-2147483648'],
  ['hundredths', 'addHundredths(2137)', '21.37'],
  ['hundredths below one', 'addHundredths(5)', '0.05'],
  ['negative hundredths below one', 'addHundredths(-5)', '-0.05'],
  ['negative hundredths', 'addHundredths(-2137)', '-21.37'],
  ['hexadecimal digits', 'addHex(0xbeef, 8)', '0000beef'],
  ['the low hexadecimal digits', 'addHex(0x12345678, 2)', '78'],
  ['the highest bit', 'addHex(0xffffffff, 8)', 'ffffffff'],
  ['what is joined', "add('{\"n\":').addInt(-1).add('}')", '{"n":-1}'],
  ['the last octet there is', `add('${'x'.repeat(118)}').addInt(12)`, `${'x'.repeat(118)}12`],
];
const TOO_LONG: readonly [name: string, build: string][] = [
  ['a literal that is too long', `add('${'x'.repeat(121)}')`],
  ['a number that does not fit', `add('${'x'.repeat(118)}').addInt(123)`],
  ['a number after what did not fit', `add('${'x'.repeat(121)}').addInt(1)`],
];

describe('the line of text', () => {
  const published: string[] = [];
  const results: string[] = [];

  beforeAll(async () => {
    const publish = (build: string): string => `text.clear().${build}; say(results, client.publish(topic, -1, false));`;
    const { out } = await buildApp({
      'lines.ts': `
        import { client, NEVER_MS, text } from 'thimble';
        export function setup(seed: i32): void {
          const topic = client.predefined(1);
          const results = client.short('rc');
          ${[...LINES, ...TOO_LONG].map(([, build]) => publish(build)).join('\n')}
        }
        function say(topic: i32, result: i32): void {
          text.clear().add('=').addInt(result);
          client.publish(topic, -1, false);
        }
        export function tick(): i32 { return NEVER_MS; }`,
    });
    const device = new DeviceModule(readFileSync(out)).create({
      send: (datagram) => {
        const packet = decode(datagram.slice());
        if (packet.type !== PacketType.Publish) throw new Error('not a PUBLISH');
        const line = new TextDecoder().decode(packet.data);
        if (packet.topic.kind === 1) published.push(line);
        else results.push(line);
        return datagram.length;
      },
    });
    device.start(0, 1);
  });

  it.each(LINES.map(([name, , line], i) => ({ name, line, i })))('holds $name', ({ line, i }) => {
    expect(published[i]).toBe(line);
    expect(results[i]).toBe('=0');
  });

  it.each(TOO_LONG.map(([name], i) => ({ name, i })))('does not publish $name', ({ i }) => {
    expect(results[LINES.length + i]).toBe('=-16');
    expect(published).toHaveLength(LINES.length);
  });
});
