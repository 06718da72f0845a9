// The rules that keep the architecture visible in the folders: who may import whom, what a core may not touch, and how
// long a file may be.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listBoards } from '../host/firmware/boards.js';

const ROOT = join(import.meta.dirname, '..');
const FILE_LINES_MAX = 500;
/** A test file is a list, and may be longer. */
const TEST_LINES_MAX = 800;

/** C and Rust. */
const NATIVE_SOURCES = /\.(c|h|rs)$/;
/** What cargo makes of a board's program. */
const OUTPUT = /^[^/]+\/target\//;

interface Source {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Paths from the root for relative imports, package names for others. */
  readonly imports: readonly string[];
}

function listFiles(folder: string, endings = /\.ts$/): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.test(name) && !OUTPUT.test(name))
    .map((name) => join(folder, name));
}

function read(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const targets = [...text.matchAll(/\b(?:from|import\()\s*['"]([^'"]+)['"]/g)].map((match) => match[1]!);
  const imports = targets.map((target) =>
    target.startsWith('.') ? normalize(join(dirname(path), target)).replace(/\.(js|ts)$/, '') : target,
  );
  return { path, text, imports };
}

const sources = (folder: string, endings?: RegExp): Source[] => listFiles(folder, endings).map(read);

/** Which part of the project a path from the root belongs to: "assembly/codec", "host/sim", "host/ports". */
function partOf(path: string): string {
  return path.split('/').slice(0, 2).join('/').replace(/\.ts$/, '');
}

/** Imports of a file that lead to a part that `allowed` does not name. */
function strays(source: Source, allowed: readonly string[]): string[] {
  return source.imports
    .filter((target) => target.startsWith('assembly/') || target.startsWith('host/'))
    .filter((target) => !allowed.includes(partOf(target)))
    .map((target) => `${source.path} imports ${target}`);
}

/** assembly: each layer and what lies below it. */
const DEVICE_LAYERS: Readonly<Record<string, readonly string[]>> = {
  'assembly/protocol': [],
  'assembly/memory': ['assembly/protocol'],
  'assembly/codec': ['assembly/protocol', 'assembly/memory'],
  'assembly/client': ['assembly/protocol', 'assembly/memory', 'assembly/codec', 'assembly/board'],
  'assembly/payload': ['assembly/protocol', 'assembly/memory', 'assembly/codec', 'assembly/client'],
  'assembly/modules': [
    'assembly/protocol',
    'assembly/memory',
    'assembly/codec',
    'assembly/client',
    'assembly/payload',
    'assembly/board',
    'assembly/apps',
  ],
  'assembly/apps': ['assembly/index'],
};

/** Cores: what they may import besides themselves. They meet the world and each other through ports. */
const CORES: Readonly<Record<string, readonly string[]>> = {
  'host/core': ['host/ports'],
  'host/wire': ['host/ports', 'host/core', 'assembly/protocol'],
  'host/broker': ['host/ports', 'host/core', 'assembly/protocol'],
  'host/gateway': ['host/ports', 'host/core', 'host/wire', 'assembly/protocol'],
  'host/device': ['host/ports', 'host/core', 'assembly/protocol'],
  'host/update': ['host/ports', 'host/core', 'host/device', 'assembly/protocol'],
  // Gives names to what other cores count.
  'host/metrics': ['host/ports', 'host/core', 'host/broker', 'host/gateway'],
  // Composes the cores.
  'host/sim': [
    'host/ports',
    'host/core',
    'host/wire',
    'host/broker',
    'host/gateway',
    'host/device',
    'host/update',
    'assembly/protocol',
  ],
};

/** What would make a core depend on the machine it runs on, or on the moment. */
const FORBIDDEN_IN_CORES: readonly [RegExp, string][] = [
  [/['"]node:/, "Node's API"],
  [/\bMath\.random\b/, 'unseeded randomness'],
  [/\bDate\.now\b|\bnew Date\b|\bperformance\.now\b/, 'the wall clock'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\(/, 'the event loop'],
  [/\bprocess\./, 'the process'],
];

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

function namedBoards(all: readonly Source[]): string[] {
  const boards = listBoards();
  return all.flatMap(({ path, text }) => boards.filter((board) => text.includes(board)).map((b) => `${path}: ${b}`));
}

describe('The device', () => {
  for (const [layer, below] of Object.entries(DEVICE_LAYERS)) {
    it(`lets ${layer} import only what lies below it`, () => {
      const all = sources('assembly').filter((source) => partOf(source.path) === layer);
      expect(all.flatMap((source) => strays(source, [layer, ...below]))).toEqual([]);
    });
  }

  it('imports nothing from the host and no package', () => {
    const foreign = sources('assembly').flatMap((s) => s.imports.filter((target) => !target.startsWith('assembly/')));
    expect(foreign).toEqual([]);
  });

  it('has every folder named among its layers', () => {
    const folders = readdirSync(join(ROOT, 'assembly'), { withFileTypes: true }).filter((e) => e.isDirectory());
    for (const { name } of folders) expect(Object.keys(DEVICE_LAYERS)).toContain(`assembly/${name}`);
  });
});

describe('The host', () => {
  it("takes from the device's side only the protocol's tables", () => {
    const all = sources('host').flatMap((s) => s.imports.filter((target) => target.startsWith('assembly/')));
    expect(all.filter((target) => partOf(target) !== 'assembly/protocol')).toEqual([]);
  });

  for (const [core, allowed] of Object.entries(CORES)) {
    it(`lets ${core} import only ports and what it is made of`, () => {
      expect(sources(core).flatMap((source) => strays(source, [core, ...allowed]))).toEqual([]);
    });

    it(`keeps ${core} free of clocks, randomness and I/O`, () => {
      const found = sources(core).flatMap(({ path, text }) =>
        FORBIDDEN_IN_CORES.filter(([pattern]) => pattern.test(withoutComments(text))).map(
          ([, what]) => `${path}: ${what}`,
        ),
      );
      expect(found).toEqual([]);
    });
  }

  it('has every folder either among the cores or among the adapters', () => {
    const adapters = [
      'host/net',
      'host/store',
      'host/server',
      'host/firmware',
      'host/cli',
      'host/identity',
      'host/shadow',
    ];
    const folders = readdirSync(join(ROOT, 'host'), { withFileTypes: true }).filter((e) => e.isDirectory());
    for (const { name } of folders) expect([...Object.keys(CORES), ...adapters]).toContain(`host/${name}`);
  });

  it('names no board in its code', () => {
    expect(namedBoards(sources('host'))).toEqual([]);
  });
});

describe('The C that boards share', () => {
  it('names no board', () => {
    const shared = listFiles(join('boards', 'common'), /./).map(read);
    expect(shared.length).toBeGreaterThan(30);
    expect(namedBoards(shared)).toEqual([]);
  });
});

describe('Every source file', () => {
  const native = [...sources('boards', NATIVE_SOURCES), ...sources('test', NATIVE_SOURCES)];
  const all = [...sources('assembly'), ...sources('host'), ...sources('bench'), ...sources('test'), ...native];

  it('is looked at: TypeScript, C and Rust', () => {
    for (const ending of ['.ts', '.c', '.h', '.rs']) {
      expect(all.filter(({ path }) => path.endsWith(ending)).length).toBeGreaterThan(5);
    }
  });

  it('begins by saying what it owns', () => {
    const silent = all.filter(({ path, text }) => !path.startsWith('test') && !/^(#!.*\n)?(\/\/|\/\*\*)/.test(text));
    expect(silent.map((source) => source.path)).toEqual([]);
  });

  it(`has at most ${FILE_LINES_MAX} lines, or ${TEST_LINES_MAX} of tests`, () => {
    const most = (path: string): number => (path.startsWith('test') ? TEST_LINES_MAX : FILE_LINES_MAX);
    const long = all.filter(({ path, text }) => text.split('\n').length > most(path) + 1);
    expect(long.map(({ path }) => relative(ROOT, join(ROOT, path)))).toEqual([]);
  });
});
