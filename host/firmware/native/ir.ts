// A linked module as a tree of plain objects: what the native backend works on. Whatever a device module cannot hold, or C
// is not made from, is refused here, by name.
import binaryen from 'binaryen';
import { FirmwareError } from '../error.js';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';
/** Which of the module's objects an address belongs to; see relocate.ts. */
export type Region = 'low' | 'state' | 'high';
/** An address among the constants: its region, and whether it stands negated. */
export interface Address {
  readonly region: Region;
  readonly negative: boolean;
}

export interface ConstNode {
  readonly kind: 'const';
  readonly type: ValueType;
  readonly value: number | bigint;
  /** Set by relocate.ts where the constant is an address. */
  address?: Address | undefined;
}

interface AccessNode {
  readonly type: ValueType;
  readonly bytes: number;
  readonly align: number;
  readonly offset: number;
  readonly at: Node;
  /** Set by relocate.ts where the offset, which is added to `at`, is an address. */
  address?: Address | undefined;
}

export interface LoadNode extends AccessNode {
  readonly kind: 'load';
  readonly signed: boolean;
}

export interface StoreNode extends AccessNode {
  readonly kind: 'store';
  readonly value: Node;
}

export interface CallNode {
  readonly kind: 'call';
  readonly target: string;
  readonly operands: readonly Node[];
}

export interface SetNode {
  readonly kind: 'set';
  readonly index: number;
  readonly value: Node;
  /** It is a value, too: local.tee. */
  readonly tee: boolean;
}

export interface UnaryNode {
  readonly kind: 'unary';
  /** binaryen's name of the operator, such as `ClzInt32`. */
  readonly op: string;
  readonly value: Node;
}

export interface BinaryNode {
  readonly kind: 'binary';
  readonly op: string;
  readonly left: Node;
  readonly right: Node;
}

export interface SelectNode {
  readonly kind: 'select';
  readonly condition: Node;
  readonly ifTrue: Node;
  readonly ifFalse: Node;
}

export interface BlockNode {
  readonly kind: 'block';
  readonly type: ValueType | undefined;
  /** '' where nothing breaks out of it. */
  readonly label: string;
  readonly children: readonly Node[];
}

export interface LoopNode {
  readonly kind: 'loop';
  readonly type: ValueType | undefined;
  readonly label: string;
  readonly body: Node;
}

export interface IfNode {
  readonly kind: 'if';
  readonly type: ValueType | undefined;
  readonly condition: Node;
  readonly ifTrue: Node;
  readonly ifFalse: Node | undefined;
}

export interface BreakNode {
  readonly kind: 'break';
  readonly label: string;
  readonly condition: Node | undefined;
  readonly value: Node | undefined;
}

export interface SwitchNode {
  readonly kind: 'switch';
  readonly labels: readonly string[];
  readonly otherwise: string;
  readonly condition: Node;
  readonly value: Node | undefined;
}

export interface BulkNode {
  readonly kind: 'copy' | 'fill';
  readonly to: Node;
  /** Of `copy`: where from; of `fill`: the octet. */
  readonly from: Node;
  readonly bytes: Node;
}

export type Node =
  | ConstNode
  | LoadNode
  | StoreNode
  | CallNode
  | SetNode
  | UnaryNode
  | BinaryNode
  | SelectNode
  | BlockNode
  | LoopNode
  | IfNode
  | BreakNode
  | SwitchNode
  | BulkNode
  | { readonly kind: 'get'; readonly index: number }
  | { readonly kind: 'drop'; readonly value: Node }
  | { readonly kind: 'return'; readonly value: Node | undefined }
  | { readonly kind: 'nop' }
  | { readonly kind: 'unreachable' };

export interface Signature {
  readonly params: readonly ValueType[];
  readonly result: ValueType | undefined;
}

export interface FunctionNode extends Signature {
  readonly name: string;
  /** Locals beyond the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: Node;
}

export interface ImportNode extends Signature {
  /** How the module calls it. */
  readonly name: string;
  /** What it is called in `board`. */
  readonly base: string;
}

export interface Program {
  readonly functions: readonly FunctionNode[];
  readonly imports: readonly ImportNode[];
  /** Exported functions: the name outside, the name inside. */
  readonly exports: ReadonlyMap<string, string>;
  /** Exported globals that are constants. */
  readonly globals: ReadonlyMap<string, number>;
  readonly segments: readonly { readonly at: number; readonly data: Uint8Array }[];
}

/** binaryen has it, its declarations do not. */
interface SegmentsOfModule {
  getNumDataSegments(): number;
  getDataSegmentByIndex(index: number): number;
  getDataSegmentInfo(segment: number): { offset: number; data: ArrayBuffer; passive: boolean };
}

/** Reads a linked module. Throws ERR_NATIVE for what C is not made from. */
export function readProgram(bytes: Uint8Array): Program {
  const module = binaryen.readBinary(bytes);
  try {
    const functions: FunctionNode[] = [];
    const imports: ImportNode[] = [];
    for (let i = 0; i < module.getNumFunctions(); i++) {
      const info = binaryen.getFunctionInfo(module.getFunctionByIndex(i));
      const signature = {
        name: info.name,
        params: binaryen.expandType(info.params).map(typeOf),
        result: info.results === binaryen.none ? undefined : typeOf(info.results),
      };
      if (info.base !== null && info.base !== '') imports.push({ ...signature, base: info.base });
      else functions.push({ ...signature, locals: info.vars.map(typeOf), body: new Reader(info.name).read(info.body) });
    }
    return { functions, imports, ...readExports(module), segments: readSegments(module) };
  } finally {
    module.dispose();
  }
}

function readExports(module: binaryen.Module): Pick<Program, 'exports' | 'globals'> {
  const exports = new Map<string, string>();
  const globals = new Map<string, number>();
  for (let i = 0; i < module.getNumExports(); i++) {
    const { name, value, kind } = binaryen.getExportInfo(module.getExportByIndex(i));
    if (kind === ENUMS.ExternalKinds.Function) exports.set(name, value);
    if (kind !== ENUMS.ExternalKinds.Global) continue;
    const { init, mutable } = binaryen.getGlobalInfo(module.getGlobal(value));
    if (!mutable) globals.set(name, Number((binaryen.getExpressionInfo(init) as binaryen.ConstInfo).value));
  }
  return { exports, globals };
}

function readSegments(module: binaryen.Module): Program['segments'] {
  const segmented = module as unknown as SegmentsOfModule;
  const segments: { at: number; data: Uint8Array }[] = [];
  for (let i = 0; i < segmented.getNumDataSegments(); i++) {
    const { offset, data, passive } = segmented.getDataSegmentInfo(segmented.getDataSegmentByIndex(i));
    if (passive) throw refusal('a passive data segment');
    segments.push({ at: offset, data: new Uint8Array(data) });
  }
  return segments;
}

function typeOf(type: binaryen.Type): ValueType {
  if (type === binaryen.i32) return 'i32';
  if (type === binaryen.i64) return 'i64';
  if (type === binaryen.f32) return 'f32';
  if (type === binaryen.f64) return 'f64';
  throw refusal('a value that is no number');
}

function refusal(what: string, name?: string): FirmwareError {
  // Release builds have no names, and a number tells nobody anything.
  const where = name === undefined || /^\d+$/.test(name) ? '' : ` in ${name}`;
  return new FirmwareError('ERR_NATIVE', `no native code is made from ${what}${where}`);
}

/** binaryen's numbers as they are when it runs: its declarations count the enums differently. */
const ENUMS = binaryen as unknown as Record<'ExpressionIds' | 'Operations' | 'ExternalKinds', Record<string, number>>;
const Id = ENUMS.ExpressionIds as Readonly<Record<ExpressionName, number>>;

type ExpressionName =
  | 'Block'
  | 'Loop'
  | 'If'
  | 'Break'
  | 'Switch'
  | 'Return'
  | 'Unreachable'
  | 'Nop'
  | 'Load'
  | 'Store'
  | 'MemoryCopy'
  | 'MemoryFill'
  | 'Const'
  | 'LocalGet'
  | 'LocalSet'
  | 'Drop'
  | 'Call'
  | 'Select'
  | 'Unary'
  | 'Binary'
  | 'CallIndirect'
  | 'CallRef'
  | 'MemoryGrow'
  | 'MemorySize'
  | 'GlobalGet'
  | 'GlobalSet'
  | 'MemoryInit'
  | 'DataDrop';

/** What stands in a module although C is not made from it: how a person calls it. */
const REFUSED: Readonly<Record<number, string>> = {
  [Id.CallIndirect]: 'an indirect call (functions as values)',
  [Id.CallRef]: 'an indirect call (functions as values)',
  [Id.MemoryGrow]: 'memory.grow',
  [Id.MemorySize]: 'memory.size',
  [Id.GlobalSet]: 'a mutable global',
  [Id.GlobalGet]: 'a mutable global',
  [Id.MemoryInit]: 'a passive data segment',
  [Id.DataDrop]: 'a passive data segment',
};

function nameOfId(id: number): string {
  return Object.entries(Id).find(([, value]) => value === id)?.[0] ?? String(id);
}

/** Operators by binaryen's numbers; unary and binary ones are numbered apart. */
const { unary: UNARY, binary: BINARY } = namesOfOperators();

function namesOfOperators(): { unary: Map<number, string>; binary: Map<number, string> } {
  const unary = new Map<number, string>();
  const binary = new Map<number, string>();
  for (const [name, value] of Object.entries(ENUMS.Operations)) {
    if (!/(Int|Float)(32|64)$/.test(name) || /Vec|Atomic|MulWide/.test(name)) continue;
    const isUnary =
      /^(Clz|Ctz|Popcnt|Neg|Abs|Ceil|Floor|Trunc|Nearest|Sqrt|EqZ|Extend|Wrap|Reinter|Convert|Promote|Demote)/;
    (isUnary.test(name) ? unary : binary).set(value, name);
  }
  return { unary, binary };
}

class Reader {
  constructor(private readonly name: string) {}

  read(ref: binaryen.ExpressionRef): Node {
    const id = binaryen.getExpressionId(ref);
    // Binaryen knows no more of these than that they are there, and fails when asked.
    if (id === Id.Unreachable) return { kind: 'unreachable' };
    if (id === Id.Nop) return { kind: 'nop' };
    const info = binaryen.getExpressionInfo(ref);
    return this.readControl(info) ?? this.readMemory(info) ?? this.readValue(info);
  }

  private all(refs: readonly binaryen.ExpressionRef[]): Node[] {
    return refs.map((ref) => this.read(ref));
  }

  /** 0 is binaryen's null. */
  private maybe(ref: binaryen.ExpressionRef): Node | undefined {
    return ref === 0 ? undefined : this.read(ref);
  }

  private readControl(info: binaryen.ExpressionInfo): Node | undefined {
    switch (info.id) {
      case Id.Block: {
        const { name, children } = info as binaryen.BlockInfo;
        return { kind: 'block', type: resultOf(info.type), label: name ?? '', children: this.all(children) };
      }
      case Id.Loop: {
        const { name, body } = info as binaryen.LoopInfo;
        return { kind: 'loop', type: resultOf(info.type), label: name ?? '', body: this.read(body) };
      }
      case Id.If: {
        const { condition, ifTrue, ifFalse } = info as binaryen.IfInfo;
        const node = { condition: this.read(condition), ifTrue: this.read(ifTrue), ifFalse: this.maybe(ifFalse) };
        return { kind: 'if', type: resultOf(info.type), ...node };
      }
      case Id.Break: {
        const { name, condition, value } = info as binaryen.BreakInfo;
        return { kind: 'break', label: name, condition: this.maybe(condition), value: this.maybe(value) };
      }
      case Id.Switch: {
        const { names, defaultName, condition, value } = info as binaryen.SwitchInfo;
        const node = { condition: this.read(condition), value: this.maybe(value) };
        return { kind: 'switch', labels: names, otherwise: defaultName ?? '', ...node };
      }
      case Id.Return:
        return { kind: 'return', value: this.maybe((info as binaryen.ReturnInfo).value) };
      default:
        return undefined;
    }
  }

  private readMemory(info: binaryen.ExpressionInfo): Node | undefined {
    switch (info.id) {
      case Id.Load: {
        const { offset, align, bytes, isSigned, ptr } = info as binaryen.LoadInfo;
        const node = { offset, bytes, align: align === 0 ? bytes : align, at: this.read(ptr) };
        return { kind: 'load', type: typeOf(info.type), signed: isSigned, ...node };
      }
      case Id.Store: {
        const { offset, align, bytes, ptr, value, valueType } = info as binaryen.StoreInfo & { valueType: number };
        const node = { offset, bytes, align: align === 0 ? bytes : align, at: this.read(ptr) };
        return { kind: 'store', type: typeOf(valueType), ...node, value: this.read(value) };
      }
      case Id.MemoryCopy: {
        const { dest, source, size } = info as binaryen.MemoryCopyInfo;
        return { kind: 'copy', to: this.read(dest), from: this.read(source), bytes: this.read(size) };
      }
      case Id.MemoryFill: {
        const { dest, value, size } = info as binaryen.MemoryFillInfo;
        return { kind: 'fill', to: this.read(dest), from: this.read(value), bytes: this.read(size) };
      }
      default:
        return undefined;
    }
  }

  private readValue(info: binaryen.ExpressionInfo): Node {
    switch (info.id) {
      case Id.Const:
        return { kind: 'const', type: typeOf(info.type), value: (info as binaryen.ConstInfo).value as number };
      case Id.LocalGet:
        return { kind: 'get', index: (info as binaryen.LocalGetInfo).index };
      case Id.LocalSet: {
        const { index, value, isTee } = info as binaryen.LocalSetInfo;
        return { kind: 'set', index, value: this.read(value), tee: isTee };
      }
      case Id.Drop:
        return { kind: 'drop', value: this.read((info as binaryen.DropInfo).value) };
      case Id.Call: {
        const { target, operands } = info as binaryen.CallInfo;
        return { kind: 'call', target, operands: this.all(operands) };
      }
      case Id.Select: {
        const { condition, ifTrue, ifFalse } = info as binaryen.SelectInfo;
        const node = { ifTrue: this.read(ifTrue), ifFalse: this.read(ifFalse), condition: this.read(condition) };
        return { kind: 'select', ...node };
      }
      case Id.Unary: {
        const { op, value } = info as binaryen.UnaryInfo;
        return { kind: 'unary', op: this.operator(UNARY, op), value: this.read(value) };
      }
      case Id.Binary: {
        const { op, left, right } = info as binaryen.BinaryInfo;
        return { kind: 'binary', op: this.operator(BINARY, op), left: this.read(left), right: this.read(right) };
      }
      default:
        throw refusal(REFUSED[info.id] ?? `instruction ${nameOfId(info.id)}`, this.name);
    }
  }

  private operator(names: ReadonlyMap<number, string>, op: number): string {
    const name = names.get(op);
    if (name === undefined) throw refusal(`operator ${op}`, this.name);
    return name;
  }
}

function resultOf(type: binaryen.Type): ValueType | undefined {
  return type === binaryen.none || type === binaryen.unreachable ? undefined : typeOf(type);
}

/** What stands directly below a node, in the order in which it is evaluated. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'block':
      return node.children;
    case 'loop':
      return [node.body];
    case 'if':
      return [node.condition, node.ifTrue, ...(node.ifFalse === undefined ? [] : [node.ifFalse])];
    case 'break':
      return [node.value, node.condition].filter((child) => child !== undefined);
    case 'switch':
      return [...(node.value === undefined ? [] : [node.value]), node.condition];
    case 'return':
      return node.value === undefined ? [] : [node.value];
    case 'load':
      return [node.at];
    case 'store':
      return [node.at, node.value];
    case 'copy':
    case 'fill':
      return [node.to, node.from, node.bytes];
    case 'call':
      return node.operands;
    case 'set':
    case 'drop':
    case 'unary':
      return [node.value];
    case 'binary':
      return [node.left, node.right];
    case 'select':
      return [node.ifTrue, node.ifFalse, node.condition];
    default:
      return [];
  }
}
