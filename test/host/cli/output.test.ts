import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { count, table } from '../../../host/cli/output.js';
import { describeWithTools } from '../../tools.js';
import { Exit, MAIN, temporaryFile, thimble, thimbleWithin } from './command.js';

const ESCAPE = '\u001b';
const SHORT_RUN = ['sim', 'lab', '--hours', '0.05'];

describe('colours', () => {
  it('are not in what goes to a file or a pipe, whoever runs it', async () => {
    for (const env of [{}, { CI: 'true' }, { TERM: 'xterm-256color' }]) {
      const { stdout, stderr } = await thimble(SHORT_RUN, env);
      expect(stdout + stderr).not.toContain(ESCAPE);
      expect((await thimble(['nope'], env)).stderr).not.toContain(ESCAPE);
    }
  });

  it('are there where they are asked for, unless NO_COLOR is louder', async () => {
    const asked = { FORCE_COLOR: '1' };
    expect((await thimble(SHORT_RUN, asked)).stdout).toContain(ESCAPE);
    expect((await thimble(['nope'], asked)).stderr).toContain(ESCAPE);
    const silenced = { ...asked, NO_COLOR: '1' };
    expect((await thimble(SHORT_RUN, silenced)).stdout).not.toContain(ESCAPE);
    expect((await thimble(['nope'], silenced)).stderr).not.toContain(ESCAPE);
  });

  it('are never in JSON', async () => {
    const { stdout } = await thimble([...SHORT_RUN, '--json'], { FORCE_COLOR: '1' });
    expect(stdout).not.toContain(ESCAPE);
  });
});

describe('tables', () => {
  const head = ['tool', 'B', 'empty', 'what for'];
  const rows = [
    ['a', '1,234', '', 'the quick brown fox jumps over the lazy dog'],
    ['bcd', '5', '', 'nothing'],
  ];

  it('are as wide as they have to be, have no spaces at the end, and no empty columns', () => {
    expect(table(head, rows, 100)).toBe(
      [
        '   tool        B    what for',
        '   a       1,234    the quick brown fox jumps over the lazy dog',
        '   bcd         5    nothing',
      ].join('\n'),
    );
  });

  it('are wrapped at spaces where they are too wide, and lose nothing', () => {
    expect(table(head, rows, 36)).toBe(
      [
        '   tool      B  what for',
        '   a     1,234  the quick brown fox',
        '                jumps over the lazy',
        '                dog',
        '   bcd       5  nothing',
      ].join('\n'),
    );
  });

  it('break no word and no number, however narrow the terminal', () => {
    const text = table(head, rows, 1);
    for (const word of rows.flat().flatMap((cell) => cell.split(' '))) expect(text).toContain(word);
    expect(text).not.toContain('…');
  });

  it.each([80, 100, 120])('of every command fit %i columns', async (columns) => {
    const before = process.stdout.columns;
    process.stdout.columns = columns;
    try {
      for (const args of [['doctor'], ['boards'], ['size', 'beacon', '--boards', 'linux-wamr,native-sim,zephyr']]) {
        const { stdout } = await thimbleWithin(args);
        const rows = stdout.split('\n').filter((line) => line.startsWith('   '));
        expect(rows.length).toBeGreaterThan(5);
        for (const row of rows) expect(row.length, row).toBeLessThanOrEqual(columns);
      }
    } finally {
      process.stdout.columns = before;
    }
  });
});

describe('counts', () => {
  it('have the plural that belongs to them', () => {
    expect([0, 1, 2, 12_345].map((n) => count(n, 'datagram'))).toEqual([
      '0 datagrams',
      '1 datagram',
      '2 datagrams',
      '12,345 datagrams',
    ]);
  });

  it('are right in the report of a single device', async () => {
    const alone = temporaryFile('alone.json', {
      name: 'alone',
      seed: 1,
      durationS: 60,
      devices: [{ class: 'device', app: 'heartbeat', count: 1 }],
      clients: [{ name: 'client', measures: true }],
    });
    const { stdout, stderr } = await thimbleWithin(['sim', alone]);
    expect(stdout, stderr).toMatch(/^1 device, /m);
  });
});

describe('a reader', () => {
  it('may stop reading, which is no failure', async () => {
    const child = spawn(process.execPath, [MAIN, 'sim', 'lab', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.stdout.destroy();
    const [exit] = await once(child, 'close');
    expect(errors).toBe('');
    expect(exit).toBe(Exit.Done);
  });
});

describeWithTools(['script'], 'on a terminal', () => {
  const onTerminal = (command: string, env: Record<string, string> = {}): string => {
    const { NO_COLOR, FORCE_COLOR, CI, ...rest } = process.env;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      env: { ...rest, TERM: 'xterm', ...env },
    });
    return stdout;
  };
  const run = `${process.execPath} ${MAIN} ${SHORT_RUN.join(' ')}`;

  it('colours and progress are shown, and NO_COLOR is honoured', () => {
    const bold = `${ESCAPE}[1m`;
    expect(onTerminal(run)).toContain(bold);
    expect(onTerminal(run)).toContain('% ');
    const plain = onTerminal(run, { NO_COLOR: '1' });
    expect(plain).toContain('digest');
    expect(plain).not.toContain(bold);
  });

  it('JSON stays the only thing on stdout', () => {
    const printed = onTerminal(`${run} --json`);
    expect(JSON.parse(printed)).toMatchObject({ scenario: 'lab' });
  });
});
