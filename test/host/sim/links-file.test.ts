import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { assign, LinksFileError, NODE_CHARS_MAX, parseLinks } from '../../../host/sim/links-file.js';

const HEADER = 'noise_dbm,tx_node,rx_node,mean_rssi,received_hex';
const file = (...rows: string[]): string => [HEADER, ...rows].join('\n');

function errorOf(text: string): LinksFileError {
  try {
    parseLinks(text);
  } catch (error) {
    if (error instanceof LinksFileError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('a file of links', () => {
  it('gives each row as a link', () => {
    const [link] = parseLinks(file('-10,1-2,1-4,26.8,Ff0')).all;
    expect(link).toEqual({
      noiseDbm: -10,
      txNode: '1-2',
      rxNode: '1-4',
      meanRssi: 26.8,
      receivedHex: 'ff0',
      receivedPercent: (8 * 100) / 12,
    });
  });

  it('finds columns by name, in any order, and ignores others', () => {
    const text = 'remark,received_hex,rx_node,noise_dbm,mean_rssi,tx_node\nsunny,8,b,0,1,a';
    expect(parseLinks(text).all[0]).toMatchObject({ txNode: 'a', rxNode: 'b', receivedHex: '8', receivedPercent: 25 });
  });

  it('takes CRLF, blank lines, blanks around fields, a byte order mark and a last line without an end', () => {
    const text = `\ufeff\r\n${HEADER}\r\n\r\n -5 , a , b , 0 , f \r\n  \r\n-5,b,a,0,7`;
    expect(parseLinks(text).all.map(({ txNode, receivedPercent }) => [txNode, receivedPercent])).toEqual([
      ['a', 100],
      ['b', 75],
    ]);
  });

  it('returns the rows that were written', () => {
    const row = fc.record({
      noiseDbm: fc.integer({ min: -120, max: 0 }),
      meanRssi: fc.integer({ min: 0, max: 60 }),
      receivedHex: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 1, maxLength: 75 }),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const text = file(...rows.map((r, i) => `${r.noiseDbm},${i},gw,${r.meanRssi},${r.receivedHex}`));
        expect(parseLinks(text).all).toMatchObject(rows);
      }),
    );
  });

  it('tells usable links and the way back', () => {
    const links = parseLinks(file('0,a,b,0,f', '0,b,a,0,3', '-5,b,a,0,1', '0,c,a,0,e'));
    expect(links.usable(75).map(({ txNode }) => txNode)).toEqual(['a', 'c']);
    expect(links.usable(0).length).toBe(4);
    expect(links.reverseOf(links.all[0]!)?.receivedHex).toBe('3');
    expect(links.reverseOf(links.all[2]!)).toBeUndefined();
    expect(links.reverseOf(links.all[3]!)).toBeUndefined();
  });
});

describe('an error in a file of links', () => {
  const good = '0,a,b,1,ff';
  // Code, file, line, column, and the words for what is wrong and what is allowed.
  const cases: [string, string, number | undefined, string | undefined, string[]][] = [
    ['ERR_LINKS_EMPTY', '', undefined, undefined, ['no header', HEADER]],
    ['ERR_LINKS_EMPTY', '\n \n', undefined, undefined, ['no header']],
    ['ERR_LINKS_EMPTY', HEADER, 1, undefined, ['no link']],
    ['ERR_LINKS_COLUMN_MISSING', '\nnoise_dbm,tx_node,mean_rssi,received_hex', 2, 'rx_node', ['in any order']],
    ['ERR_LINKS_COLUMN_MISSING', good, 1, 'noise_dbm', ['0,a,b,1,ff']],
    ['ERR_LINKS_COLUMN_REPEATED', `${HEADER},tx_node`, 1, 'tx_node', ['twice', 'once']],
    ['ERR_LINKS_FIELD_COUNT', file(good, '0,b,a,1'), 3, undefined, ['4 fields', 'allowed are 5']],
    ['ERR_LINKS_FIELD_COUNT', file('0,a,b,1,ff,ff'), 2, undefined, ['6 fields', 'allowed are 5']],
    ['ERR_LINKS_NUMBER', file('loud,a,b,1,ff'), 2, 'noise_dbm', ['"loud"', 'decimals']],
    ['ERR_LINKS_NUMBER', file('', good, '0,b,a,0x1,ff'), 4, 'mean_rssi', ['"0x1"', 'decimals']],
    ['ERR_LINKS_NUMBER', file('0,a,b,,ff'), 2, 'mean_rssi', ['""']],
    ['ERR_LINKS_NODE', file('0,,b,1,ff'), 2, 'tx_node', ['""', `1 to ${NODE_CHARS_MAX}`]],
    ['ERR_LINKS_NODE', file(`0,a,${'b'.repeat(NODE_CHARS_MAX + 1)},1,ff`), 2, 'rx_node', ['...']],
    ['ERR_LINKS_HEX', file('0,a,b,1,'), 2, 'received_hex', ['""', '1 or more digits']],
    ['ERR_LINKS_HEX', file('0,a,b,1,0xff'), 2, 'received_hex', ['"0xff"', "the first packet's bit first"]],
    ['ERR_LINKS_REPEATED', file(good, '-5,a,b,1,ff', '0,a,b,9,00'), 4, 'tx_node', ['a to b', 'line 2', 'one line']],
  ];

  it.each(cases)('has a code and names the place: %s %j', (code, text, line, column, words) => {
    const error = errorOf(text);
    expect(error.code).toBe(code);
    expect(error.line).toBe(line);
    expect(error.column).toBe(column);
    for (const word of words) expect(error.message).toContain(word);
    if (line !== undefined) expect(error.message).toContain(`line ${line}`);
    if (column !== undefined) expect(error.message).toContain(`column ${column}`);
  });

  it('is the only error, whatever the text', () => {
    const text = fc.array(fc.constantFrom(HEADER, good, ',', '\n', '\r', '"', 'x', '0', ' '), { maxLength: 30 });
    fc.assert(
      fc.property(text, (parts) => {
        try {
          parseLinks(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(LinksFileError);
        }
      }),
    );
  });
});

describe('the assignment of links to devices', () => {
  const links = parseLinks(
    file('0,a,b,0,f', '0,b,a,0,7', '0,a,c,0,f', '0,c,a,0,0', '-5,a,c,0,e', '0,d,a,0,3', '0,e,a,0,1'),
  );
  const assigned = (seed: number, count: number, minReceivedPercent?: number) =>
    assign(links, count, new Xoshiro128(seed), minReceivedPercent === undefined ? {} : { minReceivedPercent });
  const named = (devices: ReturnType<typeof assigned>): Set<string> =>
    new Set(
      devices.map(
        ({ measured, uplink, downlink }) =>
          `${measured.noiseDbm} ${measured.txNode}${measured.rxNode} ${uplink.receivedHex}${downlink.receivedHex}`,
      ),
    );

  it('pairs a link with its way back, or with itself where that was not measured, and leaves out the deaf', () => {
    expect(named(assigned(1, 200))).toEqual(new Set(['0 ab f7', '0 ba 7f', '-5 ac ee', '0 da 33']));
  });

  it('leaves out what received less than was asked for', () => {
    expect(named(assigned(1, 200, 75))).toEqual(new Set(['0 ab f7', '0 ba 7f', '-5 ac ee']));
    expect(() => assigned(1, 200, 76)).toThrowError(expect.objectContaining({ code: 'ERR_LINKS_NONE_USABLE' }));
  });

  it('repeats itself for a seed, differs from seed to seed, and does not depend on how many devices follow', () => {
    expect(assigned(1, 50)).toEqual(assigned(1, 50));
    expect(assigned(1, 50)).not.toEqual(assigned(2, 50));
    expect(assigned(1, 100).slice(0, 50)).toEqual(assigned(1, 50));
  });

  it('says so where no link is usable', () => {
    const deaf = parseLinks(file('0,a,b,0,0'));
    expect(() => assign(deaf, 1, new Xoshiro128(1))).toThrowError(
      expect.objectContaining({ code: 'ERR_LINKS_NONE_USABLE' }),
    );
  });
});

describe('the description of the format', () => {
  const text = readFileSync(new URL('../../../docs/LINKS.md', import.meta.url), 'utf8');

  it('has an example that can be read and assigned', () => {
    const example = /```csv\n([^`]*)```/.exec(text)![1]!;
    const links = parseLinks(example);
    expect(links.all.length).toBe(4);
    expect(assign(links, 3, new Xoshiro128(1)).length).toBe(3);
  });

  it('lists every code', () => {
    const source = readFileSync(new URL('../../../host/sim/links-file.ts', import.meta.url), 'utf8');
    const codes = (of: string): string[] => [...new Set(of.match(/ERR_LINKS_[A-Z_]+/g))].sort();
    expect(codes(text)).toEqual(codes(source));
  });
});
