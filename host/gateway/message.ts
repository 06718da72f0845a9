// Messages compared.
import type { Message } from '../ports.js';

/** Equal in everything that a receiver can see. */
export function sameMessage(a: Message, b: Message): boolean {
  if (a.topic !== b.topic || a.qos !== b.qos || a.retain !== b.retain) return false;
  return a.payload.length === b.payload.length && a.payload.every((octet, i) => octet === b.payload[i]);
}

/** Both absent, or equal. */
export function sameWill(a: Message | undefined, b: Message | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameMessage(a, b);
}
