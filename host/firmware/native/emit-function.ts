// One function in C. Side effects become statements in the module's order; values are C expressions without any, each put
// into a temporary where what comes between would change it. So C's freedom to choose the order of operands changes nothing.
import type { AddressWriter } from './addresses.js';
import type {
  BlockNode,
  BreakNode,
  FunctionNode,
  IfNode,
  LoopNode,
  Node,
  SelectNode,
  Signature,
  StoreNode,
  SwitchNode,
  ValueType,
} from './ir.js';
import { childrenOf } from './ir.js';
import { isSimple, labelsUsed, resultOfBinary, resultOfUnary } from './node-facts.js';
import { atom, bare, binary, closed, condition, constant, made, unary, type Value } from './operators.js';

export const C_TYPE: Readonly<Record<ValueType, string>> = {
  i32: 'uint32_t',
  i64: 'uint64_t',
  f32: 'float',
  f64: 'double',
};

/** What a function needs to know of the rest of the module. */
export interface Surroundings {
  /** What C calls a function or an import of the module. */
  nameOf(target: string): string;
  signatureOf(target: string): Signature;
  readonly addresses: AddressWriter;
}

const INDENT = '  ';

/** The whole definition of a function. `head`: its declaration, without a semicolon. */
export function emitFunction(fn: FunctionNode, head: string, around: Surroundings): string {
  return new FunctionEmitter(fn, around).emit(head);
}

/** `static uint32_t f3(uint32_t l0)`. */
export function declaration(name: string, { params, result }: Signature): string {
  const list = params.map((type, i) => `${C_TYPE[type]} l${i}`).join(', ');
  return `${result === undefined ? 'void' : C_TYPE[result]} ${name}(${list === '' ? 'void' : list})`;
}

/** A value that waits for its siblings to be evaluated. */
interface Pending {
  value: Value;
  readonly type: ValueType;
  /** Where a temporary would be filled. */
  readonly line: number;
  readonly depth: number;
  readonly changes: Changes;
}

interface Changes {
  readonly memory: number;
  readonly locals: readonly number[];
}

/** Where a labelled block, if or loop keeps its value, and whether anything goes there. */
interface Target {
  readonly temporary: string | undefined;
}

class FunctionEmitter {
  private lines: string[] = [];
  private depth = 1;
  private temporaries: { readonly name: string; readonly type: ValueType }[] = [];
  private readonly types: readonly ValueType[];
  /** How often each local, and memory, may have changed so far. */
  private readonly localChanges: number[];
  private memoryChanges = 0;
  private readonly targets = new Map<string, Target>();
  private readonly labels: ReadonlySet<string>;

  constructor(
    private readonly fn: FunctionNode,
    private readonly around: Surroundings,
  ) {
    this.types = [...fn.params, ...fn.locals];
    this.localChanges = this.types.map(() => 0);
    this.labels = labelsUsed(fn.body);
  }

  emit(head: string): string {
    const { body, result, params } = this.fn;
    if (result === undefined || this.typeOf(body) === undefined) this.statement(body);
    else this.line(`return ${bareOf(this.value(body))};`);
    const text = this.lines.join('\n');
    const locals = this.types
      .map((type, i) => ({ name: `l${i}`, type }))
      .slice(params.length)
      .filter(({ name }) => new RegExp(`\\b${name}\\b`).test(text))
      .map(({ name, type }) => `${C_TYPE[type]} ${name} = 0;`);
    const temporaries = this.temporaries.map(({ name, type }) => `${C_TYPE[type]} ${name} = 0;`);
    const declared = [...locals, ...temporaries].map((line) => INDENT + line);
    return [`${head} {`, ...declared, ...this.lines, '}', ''].join('\n');
  }

  private line(text: string): void {
    this.lines.push(INDENT.repeat(this.depth) + text);
  }

  private temporary(type: ValueType): string {
    const name = `t${this.temporaries.length}`;
    this.temporaries.push({ name, type });
    return name;
  }

  /** undefined for what has no value, or never comes to an end. */
  private typeOf(node: Node): ValueType | undefined {
    switch (node.kind) {
      case 'const':
      case 'load':
        return node.type;
      case 'block':
      case 'loop':
      case 'if':
        return node.type;
      case 'get':
        return this.types[node.index];
      case 'set':
        return node.tee ? this.types[node.index] : undefined;
      case 'call':
        return this.around.signatureOf(node.target).result;
      case 'unary':
        return resultOfUnary(node.op);
      case 'binary':
        return resultOfBinary(node.op);
      case 'select':
        return this.typeOf(node.ifTrue) ?? this.typeOf(node.ifFalse);
      case 'break':
        return node.condition !== undefined && node.value !== undefined ? this.typeOf(node.value) : undefined;
      default:
        return undefined;
    }
  }

  // ---- values

  /** Emits what `node` does and returns what it is worth. */
  private value(node: Node): Value {
    switch (node.kind) {
      case 'const':
        return node.address === undefined
          ? constant(node.type, node.value)
          : this.around.addresses.constant(Number(node.value), node.address);
      case 'get':
        return { ...atom(`l${node.index}`), locals: new Set([node.index]) };
      case 'set':
        this.set(node.index, this.value(node.value));
        return { ...atom(`l${node.index}`), locals: new Set([node.index]) };
      case 'load':
        return this.around.addresses.load(node, this.value(node.at));
      case 'unary':
        return unary(node.op, this.value(node.value));
      case 'binary': {
        const [left, right] = this.values([node.left, node.right]) as [Value, Value];
        return binary(node.op, left, right);
      }
      case 'select':
        return this.select(node);
      case 'call': {
        const temporary = this.temporary(this.around.signatureOf(node.target).result ?? 'i32');
        this.line(`${temporary} = ${this.call(node.target, node.operands)};`);
        return atom(temporary);
      }
      case 'block':
      case 'loop':
      case 'if':
        return this.valueOfBlock(node);
      case 'break':
        return this.valueOfBreak(node);
      default:
        // It does not come back: what it would be worth is never asked for.
        this.statement(node);
        return atom('0');
    }
  }

  /** Several values, each as it was when its turn came. */
  private values(nodes: readonly Node[]): Value[] {
    const waiting: Pending[] = [];
    for (const node of nodes) {
      const value = this.value(node);
      this.settle(waiting);
      const changes = { memory: this.memoryChanges, locals: [...this.localChanges] };
      const type = this.typeOf(node) ?? 'i32';
      waiting.push({ value, type, line: this.lines.length, depth: this.depth, changes });
    }
    return waiting.map(({ value }) => value);
  }

  /** Puts those that have changed since into temporaries, where they stood; the last ones first, to keep line numbers. */
  private settle(waiting: Pending[]): void {
    for (let i = waiting.length - 1; i >= 0; i--) {
      const pending = waiting[i]!;
      if (!this.isChanged(pending)) continue;
      const temporary = this.temporary(pending.type);
      const text = `${INDENT.repeat(pending.depth)}${temporary} = ${bareOf(pending.value)};`;
      this.lines.splice(pending.line, 0, text);
      waiting[i] = { ...pending, value: atom(temporary) };
      for (let j = i + 1; j < waiting.length; j++) waiting[j] = { ...waiting[j]!, line: waiting[j]!.line + 1 };
    }
  }

  private isChanged({ value, changes }: Pending): boolean {
    if (value.memory && changes.memory !== this.memoryChanges) return true;
    for (const local of value.locals) if (changes.locals[local] !== this.localChanges[local]) return true;
    return false;
  }

  private select({ condition: test, ifTrue, ifFalse }: SelectNode): Value {
    const [yes, no, when] = this.values([ifTrue, ifFalse, test]) as [Value, Value, Value];
    // C evaluates only one of them; where the other may trap, it has to be evaluated all the same.
    const [a, b] = [yes, no].map((value) => (value.traps ? this.keep(value, this.typeOf(ifTrue) ?? 'i32') : value));
    return made(`${closedCondition(when)} ? ${closed(a!)} : ${closed(b!)}`, [a!, b!, when]);
  }

  private keep(value: Value, type: ValueType): Value {
    const temporary = this.temporary(type);
    this.line(`${temporary} = ${bareOf(value)};`);
    return atom(temporary);
  }

  private call(target: string, operands: readonly Node[]): string {
    const values = this.values(operands);
    this.memoryChanges++;
    return `${this.around.nameOf(target)}(${values.map(bareOf).join(', ')})`;
  }

  private valueOfBlock(node: BlockNode | LoopNode | IfNode): Value {
    if (node.type === undefined) {
      this.statement(node);
      return atom('0');
    }
    if (node.kind === 'block' && !this.labels.has(node.label)) {
      node.children.slice(0, -1).forEach((child) => {
        this.statement(child);
      });
      return this.value(node.children.at(-1)!);
    }
    const plain = node.kind === 'if' ? this.conditional(node) : undefined;
    if (plain !== undefined) return plain;
    const temporary = this.temporary(node.type);
    this.structure(node, temporary);
    return atom(temporary);
  }

  /** `c ? a : b` where neither arm does anything. */
  private conditional(node: IfNode): Value | undefined {
    if (node.ifFalse === undefined || !isSimple(node.ifTrue) || !isSimple(node.ifFalse)) return undefined;
    const when = this.value(node.condition);
    const [yes, no] = [this.value(node.ifTrue), this.value(node.ifFalse)];
    return made(`${closedCondition(when)} ? ${closed(yes)} : ${closed(no)}`, [when, yes, no]);
  }

  /** `br_if` with a value is worth that value where it does not break. */
  private valueOfBreak(node: BreakNode): Value {
    if (node.condition === undefined || node.value === undefined) {
      this.statement(node);
      return atom('0');
    }
    const [value, when] = this.values([node.value, node.condition]) as [Value, Value];
    const kept = this.keep(value, this.typeOf(node.value) ?? 'i32');
    this.line(`if (${condition(when)}) {`);
    this.leave(node.label, kept);
    this.line('}');
    this.memoryChanges++;
    return kept;
  }

  // ---- statements

  private statement(node: Node): void {
    switch (node.kind) {
      case 'nop':
        return;
      case 'unreachable':
        this.line('unreachable();');
        this.memoryChanges++;
        return;
      case 'drop':
        this.discard(node.value);
        return;
      case 'set':
        this.set(node.index, this.value(node.value));
        return;
      case 'store':
        this.store(node);
        return;
      case 'copy':
      case 'fill': {
        const values = this.values([node.to, node.from, node.bytes]);
        this.line(`${this.around.addresses.bulk(node.kind)}(${values.map(bareOf).join(', ')});`);
        this.memoryChanges++;
        return;
      }
      case 'call':
        this.line(`${this.call(node.target, node.operands)};`);
        return;
      case 'return':
        this.return(node.value);
        return;
      case 'break':
        this.break(node);
        return;
      case 'switch':
        this.switch(node);
        return;
      case 'block':
      case 'loop':
      case 'if':
        this.structure(node, undefined);
        return;
      default:
        this.discard(node);
    }
  }

  private discard(node: Node): void {
    if (node.kind === 'call') {
      this.line(`(void)${this.call(node.target, node.operands)};`);
      return;
    }
    const value = this.value(node);
    // What cannot trap and goes nowhere need not be.
    if (value.traps) this.line(`(void)${closed(value)};`);
  }

  private set(index: number, value: Value): void {
    const text = bareOf(value);
    if (text !== `l${index}`) this.line(`l${index} = ${text};`);
    this.localChanges[index]!++;
  }

  private store(node: StoreNode): void {
    const [at, value] = this.values([node.at, node.value]) as [Value, Value];
    this.line(`${this.around.addresses.store(node, at, value)};`);
    this.memoryChanges++;
  }

  private return(node: Node | undefined): void {
    if (node === undefined) this.line('return;');
    else if (this.typeOf(node) === undefined) this.statement(node);
    else this.line(`return ${bareOf(this.value(node))};`);
    this.memoryChanges++;
  }

  private break(node: BreakNode): void {
    const nodes = [node.value, node.condition].filter((child) => child !== undefined);
    const values = this.values(nodes);
    const value = node.value === undefined ? undefined : values[0];
    const when = node.condition === undefined ? undefined : values.at(-1);
    if (when !== undefined) {
      this.line(`if (${condition(when)}) {`);
      this.leave(node.label, value);
      this.line('}');
    } else {
      this.depth--;
      this.leave(node.label, value);
      this.depth++;
    }
    this.memoryChanges++;
  }

  private leave(label: string, value: Value | undefined): void {
    this.depth++;
    const temporary = this.targets.get(label)?.temporary;
    if (value !== undefined && temporary !== undefined) this.line(`${temporary} = ${bareOf(value)};`);
    this.line(`goto ${labelOf(label)};`);
    this.depth--;
  }

  private switch(node: SwitchNode): void {
    const nodes = node.value === undefined ? [node.condition] : [node.value, node.condition];
    const values = this.values(nodes);
    const value = node.value === undefined ? undefined : this.keep(values[0]!, this.typeOf(node.value) ?? 'i32');
    const cases = new Map<string, number[]>();
    node.labels.forEach((label, i) => {
      cases.set(label, [...(cases.get(label) ?? []), i]);
    });
    this.line(`switch (${bareOf(values.at(-1)!)}) {`);
    this.depth++;
    for (const [label, numbers] of cases) {
      if (label === node.otherwise) continue;
      for (const number of numbers) this.line(`case ${number}:`);
      this.leave(label, value);
    }
    this.line('default:');
    this.leave(node.otherwise, value);
    this.depth--;
    this.line('}');
    this.memoryChanges++;
  }

  /** A block, loop or if; its value goes into `temporary`. */
  private structure(node: BlockNode | LoopNode | IfNode, temporary: string | undefined): void {
    switch (node.kind) {
      case 'block':
        this.targets.set(node.label, { temporary });
        node.children.slice(0, -1).forEach((child) => {
          this.statement(child);
        });
        if (node.children.length > 0) this.into(node.children.at(-1)!, temporary);
        if (this.labels.has(node.label)) this.line(`${labelOf(node.label)}:;`);
        return;
      case 'loop':
        // A break to a loop goes back to its beginning, and takes no value there.
        this.targets.set(node.label, { temporary: undefined });
        if (this.labels.has(node.label)) this.line(`${labelOf(node.label)}:;`);
        this.invalidate(node.body);
        this.into(node.body, temporary);
        return;
      case 'if': {
        this.line(`if (${condition(this.value(node.condition))}) {`);
        this.nested(node.ifTrue, temporary);
        if (node.ifFalse !== undefined) {
          this.line('} else {');
          this.nested(node.ifFalse, temporary);
        }
        this.line('}');
        this.memoryChanges++;
      }
    }
  }

  /** A loop's body may come again: nothing that it changes is as it was before it. */
  private invalidate(body: Node): void {
    this.memoryChanges++;
    const visit = (node: Node): void => {
      if (node.kind === 'set') this.localChanges[node.index]!++;
      childrenOf(node).forEach(visit);
    };
    visit(body);
  }

  private nested(node: Node, temporary: string | undefined): void {
    this.depth++;
    this.into(node, temporary);
    this.depth--;
  }

  private into(node: Node, temporary: string | undefined): void {
    if (temporary === undefined || this.typeOf(node) === undefined) this.statement(node);
    else this.line(`${temporary} = ${bareOf(this.value(node))};`);
  }
}

function bareOf(value: Value): string {
  return bare(value);
}

function closedCondition(value: Value): string {
  return value.truth === true || value.atom ? closed(value) : `(${value.code})`;
}

/** Labels of the module begin with its own signs. */
function labelOf(label: string): string {
  return `l_${label.replace(/\W/g, '_')}`;
}
