// Addresses and accesses in C. With a layout whose addresses are known (relocate.ts), an address is that of an octet of one
// of two C arrays, `state` and the constants, and what the program computes with are the machine's own addresses.
import type { Address, LoadNode, Region, StoreNode } from './ir.js';
import { atom, bare, made, operand, type Value } from './operators.js';
import type { Layout } from './relocate.js';

/** An address that is known when the module is built. */
interface Place {
  readonly region: Region;
  /** Octets from where the region begins; may lie outside of it. */
  readonly at: number;
}

/** What C calls each region. */
export const MACROS: Readonly<Record<Region, string>> = { low: 'LOW', state: 'STATE', high: 'HIGH' };

/** An access at a known place of the state region. */
interface Access {
  readonly at: number;
  readonly bytes: number;
}

/** How far the short instructions of Thumb reach from a register, in units of what they load; RISC-V's have the same for words. */
const SHORT_REACH = 31;
const WORD_BYTES = 4;

export class AddressWriter {
  /** The regions that the program's code has addresses of. */
  readonly used = new Set<Region>();
  private readonly places = new WeakMap<Value, Place>();
  private readonly accesses: Access[] = [];

  constructor(private readonly layout: Layout) {}

  /** Where a region begins, as the module has it. */
  originOf(region: Region): number {
    if (region === 'low') return 0;
    return region === 'state' ? this.layout.stateAt : this.layout.stateAt + this.layout.stateBytes;
  }

  constant(value: number, { region, negative }: Address): Value {
    const place = { region, at: ((negative ? -value : value) | 0) - this.originOf(region) };
    const text = this.at(place);
    if (negative) return { ...atom(`(0u - ${text})`) };
    const found = atom(text);
    this.places.set(found, place);
    return found;
  }

  load(node: LoadNode, at: Value): Value {
    const sign = node.signed ? 's' : 'u';
    const address = this.address(node, at);
    const float = node.type.startsWith('f');
    const name = `load_${float ? node.type : `${sign}${node.bytes * 8}`}${hintOf(node.bytes, node.align)}`;
    const call = `${name}(${address})`;
    const wide = node.type === 'i64' && node.bytes < 8;
    // A signed part of 64 bits: to 32 bits with its sign, then to 64.
    const code = wide ? (node.signed ? `(uint64_t)(int32_t)${call}` : `(uint64_t)${call}`) : call;
    return made(code, [at], { atom: !wide, memory: true, traps: true });
  }

  store(node: StoreNode, at: Value, value: Value): string {
    const address = this.address(node, at);
    const name = `store_${node.type.startsWith('f') ? node.type : `u${node.bytes * 8}`}${hintOf(node.bytes, node.align)}`;
    return `${name}(${address}, ${bare(value)})`;
  }

  bulk(kind: 'copy' | 'fill'): string {
    return kind === 'copy' ? 'memory_copy' : 'memory_fill';
  }

  /** Where in the state region a register should point, so that as many accesses as can be are short ones. */
  base(): number {
    const isShort = (base: number, { at, bytes }: Access): boolean => at >= base && at - base <= SHORT_REACH * bytes;
    const starts = new Set(this.accesses.map(({ at }) => at & -WORD_BYTES));
    let best = { base: 0, count: -1 };
    for (const base of [...starts].sort((a, b) => a - b)) {
      const count = this.accesses.filter((access) => isShort(base, access)).length;
      if (count > best.count) best = { base, count };
    }
    return best.base;
  }

  private address(node: LoadNode | StoreNode, at: Value): string {
    const { offset, address, bytes } = node;
    const place = this.places.get(at);
    if (place !== undefined && address === undefined) {
      if (place.region === 'state') this.accesses.push({ at: place.at + offset, bytes });
      return this.at({ ...place, at: place.at + offset });
    }
    if (address !== undefined) return bareSum(this.constant(offset, address).code, at);
    if (typeof at.number === 'number') return String((at.number + offset) >>> 0);
    return offset === 0 ? bare(at) : `${operand(at)} + ${offset}`;
  }

  private at({ region, at }: Place): string {
    this.used.add(region);
    return `${MACROS[region]}(${at})`;
  }
}

function bareSum(base: string, at: Value): string {
  return at.number === 0 ? base : `${base} + ${operand(at)}`;
}

/** What a name says of an access that may be less aligned than its size. */
function hintOf(bytes: number, align: number): string {
  return align < bytes ? `_${align}` : '';
}
