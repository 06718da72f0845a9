// What can be said of a node by looking at it: types of results, labels, whether anything happens in it.
import { childrenOf, type Node, type ValueType } from './ir.js';

/** Nothing happens in it, and nothing can trap. */
export function isSimple(node: Node): boolean {
  switch (node.kind) {
    case 'const':
    case 'get':
      return true;
    case 'unary':
      return !node.op.startsWith('Trunc') && isSimple(node.value);
    case 'binary':
      return !/^(Div|Rem)/.test(node.op) && isSimple(node.left) && isSimple(node.right);
    default:
      return false;
  }
}

export function labelsUsed(body: Node): Set<string> {
  const used = new Set<string>();
  const visit = (node: Node): void => {
    if (node.kind === 'break') used.add(node.label);
    if (node.kind === 'switch') for (const label of [...node.labels, node.otherwise]) used.add(label);
    childrenOf(node).forEach(visit);
  };
  visit(body);
  return used;
}

const TYPE_OF_SUFFIX: Readonly<Record<string, ValueType>> = {
  Int32: 'i32',
  Int64: 'i64',
  Float32: 'f32',
  Float64: 'f64',
};

export function resultOfBinary(op: string): ValueType {
  const suffix = /(Int|Float)(32|64)$/.exec(op)![0];
  return /^(Eq|Ne|Lt|Le|Gt|Ge)/.test(op) ? 'i32' : TYPE_OF_SUFFIX[suffix]!;
}

export function resultOfUnary(op: string): ValueType {
  if (op.startsWith('EqZ') || op === 'WrapInt64' || op === 'ReinterpretFloat32') return 'i32';
  if (/^Extend[SU]Int32$/.test(op) || op === 'ReinterpretFloat64') return 'i64';
  if (op === 'PromoteFloat32' || op === 'ReinterpretInt64') return 'f64';
  if (op === 'DemoteFloat64' || op === 'ReinterpretInt32') return 'f32';
  return TYPE_OF_SUFFIX[/(Int|Float)(32|64)$/.exec(op)![0]]!;
}
