// What there is on this machine of what Thimble can use: every package of debian-packages.txt, and what boards need besides.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listBoards, readBoard } from '../boards.js';
import { PACKAGE_ROOT } from '../paths.js';
import { isAtLeast } from '../programs.js';
import { findAll, findLibrary } from './find.js';
import { type BoardNeeds, type Need, needsOf } from './needs.js';
import { readPackages } from './packages.js';

/** One thing that may be installed. */
export interface ToolReport {
  /** The Debian package's name, or the program's where Debian has it not. */
  readonly name: string;
  /** Installed, complete, and new enough. */
  readonly ready: boolean;
  /** Null where it is not there, or does not tell. */
  readonly version: string | null;
  /** The oldest that will do, where that is known. */
  readonly versionMin: string | null;
  /** The boards that need it to be built, run or written to. */
  readonly boards: readonly string[];
  /** What for. */
  readonly purpose: string;
  /** The Debian package, where Debian's will do. */
  readonly package: string | null;
  /** How to get it. */
  readonly get: string;
}

/** What can be done with a board on this machine: true, false where tools are missing, null where it never can. */
export interface BoardReadiness {
  readonly name: string;
  readonly build: boolean;
  readonly run: boolean | null;
  readonly flash: boolean | null;
  /** The tools that are missing. */
  readonly missing: readonly string[];
}

export interface Examination {
  readonly tools: readonly ToolReport[];
  readonly boards: readonly BoardReadiness[];
  /** The Debian packages to install. */
  readonly packages: readonly string[];
}

const PACKAGES = readPackages();

interface NeedOf {
  readonly board: string;
  readonly need: Need;
}

export async function examine(): Promise<Examination> {
  const boards = listBoards().map((name) => ({ name, needs: needsOf(readBoard(name)) }));
  const needs = boards.flatMap(({ name, needs: { build, run, flash } }) =>
    [...build, ...(run ?? []), ...(flash ?? [])].map((need): NeedOf => ({ board: name, need })),
  );
  const all = await Promise.all([reportNode(), ...reportPackages(needs), ...reportOthers(needs)]);
  const tools = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    tools,
    boards: boards.map(({ name, needs }) => readiness(name, needs, tools)),
    packages: tools.flatMap((tool) => (tool.ready || tool.package === null ? [] : [tool.package])),
  };
}

async function reportNode(): Promise<ToolReport> {
  const { engines } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const versionMin = engines.node.replace(/^>=/, '');
  return {
    name: 'node',
    ready: isAtLeast(process.versions.node, versionMin),
    version: process.versions.node,
    versionMin,
    boards: listBoards(),
    purpose: 'runs Thimble',
    package: null,
    get: `https://nodejs.org: ${versionMin} or later is needed`,
  };
}

/** The package that holds what is needed, or undefined for what Debian has not. */
function packageOf(need: Need): string | undefined {
  if (need.kind === 'library') return PACKAGES.find(({ name }) => name === need.name)?.name;
  return PACKAGES.find(({ programs }) => programs.includes(need.name))?.name ?? need.package;
}

const nameOf = (need: Need): string => packageOf(need) ?? need.name;

const boardsOf = (needs: readonly NeedOf[]): string[] => [...new Set(needs.map(({ board }) => board))].sort();

function reportPackages(needs: readonly NeedOf[]): Promise<ToolReport>[] {
  return PACKAGES.map(async ({ name, programs, purpose }) => {
    const own = needs.filter(({ need }) => packageOf(need) === name);
    const library = own.map(({ need }) => need).find((need) => need.kind === 'library');
    const { there, version = null } = programs.length > 0 ? await findAll(programs) : await findLibrary(name, library);
    return {
      name,
      ready: there,
      version,
      versionMin: null,
      boards: boardsOf(own),
      purpose,
      package: name,
      get: installCommand([name]),
    };
  });
}

/** What boards need and debian-packages.txt has not. */
function reportOthers(needs: readonly NeedOf[]): Promise<ToolReport>[] {
  const listed = new Set(PACKAGES.map(({ name }) => name));
  const others = needs.filter(({ need }) => !listed.has(nameOf(need)));
  return [...new Set(others.map(({ need }) => nameOf(need)))].map(async (name) => {
    const own = others.filter(({ need }) => nameOf(need) === name);
    const { need } = own[0]!;
    const { there, version = null } = await (need.kind === 'library' ? findLibrary(name, need) : findAll([need.name]));
    const versionMin = (need.kind === 'program' ? need.versionMin : undefined) ?? null;
    const isNewEnough = versionMin === null || version === null || isAtLeast(version, versionMin);
    const debian = packageOf(need) ?? null;
    const get = need.kind === 'program' ? need.get : undefined;
    return {
      name,
      ready: there && isNewEnough,
      version,
      versionMin,
      boards: boardsOf(own),
      purpose: need.purpose ?? 'a library of firmware',
      package: debian,
      get: get ?? (debian === null ? 'from its makers' : installCommand([debian])),
    };
  });
}

function readiness(name: string, needs: BoardNeeds, tools: readonly ToolReport[]): BoardReadiness {
  const isReady = (need: Need): boolean => tools.find((tool) => tool.name === nameOf(need))!.ready;
  const can = (list: readonly Need[] | undefined): boolean | null => list?.every(isReady) ?? null;
  const wanted = [...needs.build, ...(needs.run ?? []), ...(needs.flash ?? [])];
  const missing = new Set(wanted.filter((need) => !isReady(need)).map(nameOf));
  return {
    name,
    build: needs.build.every(isReady),
    run: can(needs.run),
    flash: can(needs.flash),
    missing: [...missing],
  };
}

/** What to type, as root, on Debian and what is made from it. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}
