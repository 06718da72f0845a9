import { describe, expect, it } from 'vitest';
import { type CallGraph, callGraph, deepest, findRecursion } from '../../../host/firmware/call-graph.js';
import { compile } from '../../../host/firmware/compile.js';
import { link } from '../../../host/firmware/link.js';
import { parseModule } from '../../../host/firmware/wasm.js';
import { fromText } from './modules.js';

/** Functions by their letter; a capital is an export of that name, `send` the import. */
const graphOf = (calls: Readonly<Record<string, readonly string[]>>): CallGraph => {
  const functions = Object.entries(calls).map(
    ([name, callees]) =>
      `(func $${name} ${/^[A-Z]/.test(name) ? `(export "${name}")` : ''} ${callees.map((c) => `(call $${c})`).join(' ')})`,
  );
  return callGraph(parseModule(fromText(`(module (import "board" "send" (func $send)) ${functions.join('\n')})`)));
};

/** Exports keep their names in a release build, others have a number. */
const NAMED = /^[A-Z]|^board/;
const pathOf = (graph: CallGraph): string[] => deepest(graph, () => 1).path.filter((name) => NAMED.test(name));

describe('the deepest call', () => {
  it('is that of the longest chain, whichever export begins it', () => {
    const graph = graphOf({ A: ['b'], b: ['c'], c: [], D: ['e', 'b'], e: ['f'], f: ['b'] });
    expect(deepest(graph, () => 1)).toMatchObject({ cost: 5 });
    expect(pathOf(graph)).toEqual(['D']);
  });

  it('is that of the dearest chain where functions cost differently', () => {
    const graph = graphOf({ A: ['B', 'C'], B: [], C: ['D'], D: [] });
    const { index } = graph.roots.find(({ name }) => name === 'B')!;
    const cost = (dear: number) => deepest(graph, (f) => (f.index === index ? dear : 10));
    expect(cost(21)).toEqual({ cost: 31, path: ['A', 'B'] });
    expect(cost(19)).toEqual({ cost: 30, path: ['A', 'C', 'D'] });
  });

  it('counts a call that leaves the module, and names it', () => {
    const graph = graphOf({ A: ['send'], B: ['A', 'send'] });
    expect(deepest(graph, () => 1)).toEqual({ cost: 2, path: ['B', 'A'] });
    expect(deepest(graph, () => 1, 5)).toEqual({ cost: 7, path: ['B', 'A', 'board.send'] });
  });

  it('does not take long where there are very many ways', () => {
    const rungs = Array.from({ length: 60 }, (_, i) => [`A${i}`, i === 59 ? [] : [`A${i + 1}`, `B${i}`]] as const);
    const steps = Array.from({ length: 59 }, (_, i) => [`B${i}`, [`A${i + 1}`]] as const);
    expect(deepest(graphOf(Object.fromEntries([...rungs, ...steps])), () => 1).cost).toBe(119);
  });

  it('of nothing is nothing', () => {
    expect(deepest(graphOf({}), () => 1)).toEqual({ cost: 0, path: [] });
  });
});

describe('recursion', () => {
  it.each([
    [{ A: ['A'] }, ['A', 'A']],
    [{ A: ['B'], B: ['C'], C: ['B'] }, ['B', 'C', 'B']],
    [{ A: ['B', 'C'], B: [], C: ['D'], D: ['A'] }, ['A', 'C', 'D', 'A']],
  ])('is found in %j, with its cycle', (calls, cycle) => {
    expect(findRecursion(graphOf(calls))).toEqual(cycle);
    expect(() => deepest(graphOf(calls), () => 1)).toThrow(expect.objectContaining({ code: 'ERR_MODULE_RULES' }));
  });

  it('is not where two ways lead to one function', () => {
    expect(findRecursion(graphOf({ A: ['B', 'C'], B: ['D'], C: ['D'], D: ['send'] }))).toBeUndefined();
  });
});

describe('the modem as a graph', () => {
  it('has functions by the names of the sources, and as many octets as its code section holds', async () => {
    const linked = link(await compile({ entry: 'modem-mqttsn' }));
    const module = parseModule(linked.bytes);
    const graph = callGraph(module, linked.names);
    const names = graph.functions.map((f) => f.name);
    expect(names).toContain('codec/encode/encode');
    expect(names.filter((name) => /^function \d/.test(name))).toEqual([]);
    expect(names.filter((name) => name.startsWith('assembly/'))).toEqual([]);
    const sum = graph.functions.reduce((total, f) => total + f.bytes, 0);
    // The section's id and length, and the number of functions.
    expect(module.sectionBytes.get('code')! - sum).toBeLessThan(8);
    expect(module.sectionBytes.get('code')! - sum).toBeGreaterThan(2);
    expect(graph.imports.toSorted()).toEqual(['board.event', 'board.send']);
    expect(module.functionNames.size).toBe(0);
  });

  it('goes as deep as from a datagram that arrives to one that is put together', async () => {
    const linked = link(await compile({ entry: 'modem-mqttsn' }));
    const { path } = deepest(callGraph(parseModule(linked.bytes), linked.names), () => 1);
    expect(path.length).toBeGreaterThanOrEqual(7);
    expect(path).toContain('codec/encode/encode');
  });
});
