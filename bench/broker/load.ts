// One measurement: a process of its own that is the load, on a core of its own, and what it prints.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BrokerProcess } from './broker-process.js';
import type { ConnectsResult, IdleResult } from './crowd.js';
import type { Order, OrderResult, Target, TrafficOrder, TrafficResult } from './generator.js';
import { lastWords, startPinned } from './pin.js';
import { LOAD_CORE } from './settings.js';

const GENERATOR = fileURLToPath(new URL('./generator.js', import.meta.url));
/** After so long it is stopped: no measurement takes a quarter of it. */
const TIME_MS_MAX = 60_000;

export function load(broker: BrokerProcess, order: TrafficOrder): Promise<TrafficResult>;
export function load(broker: BrokerProcess, order: { kind: 'connects'; connections: number }): Promise<ConnectsResult>;
export function load(broker: BrokerProcess, order: { kind: 'idle'; connections: number }): Promise<IdleResult>;
/** Rejects with what went wrong, in words. */
export async function load(broker: BrokerProcess, order: Order): Promise<OrderResult> {
  await broker.rest();
  const target: Target = { port: broker.port, pid: broker.pid };
  const args = [GENERATOR, JSON.stringify({ order, target })];
  const child = startPinned({ command: process.execPath, args }, LOAD_CORE);
  const words = lastWords(child);
  let answer = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  let isLate = false;
  const watch = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, TIME_MS_MAX);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(watch);
  if (isLate) throw new Error(`no end after ${TIME_MS_MAX / 1_000} s`);
  if (code !== 0) throw new Error(words() || `the load ends with ${code}`);
  return JSON.parse(answer) as OrderResult;
}
