// What the system knows of this process, under the names that Prometheus's own clients use.
import type { MetricFamily } from '../metrics/text.js';

const MICROS_PER_S = 1_000_000;
const MS_PER_S = 1_000;

const startSeconds = performance.timeOrigin / MS_PER_S;

/** Memory, processor time and the moment of the start. */
export function processMetrics(): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const one = (name: string, type: MetricFamily['type'], value: number, help: string): MetricFamily => ({
    name: `process_${name}`,
    help,
    type,
    samples: [{ value }],
  });
  return [
    one(
      'cpu_seconds_total',
      'counter',
      (user + system) / MICROS_PER_S,
      'Processor time, of the user and of the system.',
    ),
    one('resident_memory_bytes', 'gauge', rss, 'Memory that the process occupies.'),
    one('heap_bytes', 'gauge', heapUsed, 'Memory that objects occupy.'),
    one('buffers_bytes', 'gauge', arrayBuffers, 'Memory that octets occupy.'),
    one('start_time_seconds', 'gauge', startSeconds, 'When the process started, seconds since 1970.'),
  ];
}
