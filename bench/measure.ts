// How the rates of the benches are taken.
import { Bench } from 'tinybench';

/** One line of the result. */
export interface Row {
  readonly group: string;
  /** What is done. */
  readonly task: string;
  /** Who does it. */
  readonly subject: string;
  /** What is counted. */
  readonly unit: string;
  /** The median of all samples. */
  readonly perSecond: number;
  /** Half of the confidence interval of 95 % around the mean, in percent of the mean. */
  readonly errorPercent: number;
  readonly samples: number;
  /** Where the work is done by a process of its own, and this one is the load. */
  readonly load?: Load;
}

/** What the process under load has used, and what the load itself. CPU time includes the system's. */
export interface Load {
  /** Messages sent in all, warm-up included. Each was answered, and none twice: otherwise there is no figure. */
  readonly messages: number;
  /** CPU time of the process under load, µs. */
  readonly cpuUsPerMessage: number;
  /** Of one core, by the process under load. */
  readonly cpuPercent: number;
  /** Of one core, by the load: near 100, it would be what limits. */
  readonly loadCpuPercent: number;
}

export interface Effort {
  /** For each task, at least, ms. */
  readonly timeMs: number;
  readonly warmupMs: number;
  readonly samplesMin: number;
}

export const FULL: Effort = { timeMs: 250, warmupMs: 100, samplesMin: 5 };
/** Enough to see that everything runs. */
export const QUICK: Effort = { timeMs: 0, warmupMs: 0, samplesMin: 1 };

export interface Task {
  readonly task: string;
  readonly subject: string;
  readonly unit: string;
  /** Units done by one call of `run`: enough of them that the clock's resolution does not matter. */
  readonly units: number;
  run(): unknown;
}

/** Measures tasks one after another. */
export async function measure(group: string, tasks: readonly Task[], effort: Effort): Promise<Row[]> {
  const bench = new Bench({
    time: effort.timeMs,
    iterations: effort.samplesMin,
    warmup: effort.warmupMs > 0,
    warmupTime: effort.warmupMs,
    warmupIterations: 1,
    throws: true,
  });
  for (const [i, { run }] of tasks.entries()) bench.add(String(i), run);
  const measured = await bench.run();
  return tasks.map(({ task, subject, unit, units }, i) => {
    const { result } = measured[i]!;
    if (result.state !== 'completed') throw new Error(`${task}, ${subject}: ${result.state}`);
    const { p50, rme } = result.throughput;
    return {
      group,
      task,
      subject,
      unit,
      perSecond: p50 * units,
      errorPercent: Number.isFinite(rme) ? rme : 0,
      samples: result.latency.samplesCount,
    };
  });
}

/** Results go here, so that no optimiser finds out that nobody wants them. */
export let sink: unknown;

/** Does something many times. */
export function repeat(times: number, action: (i: number) => unknown): void {
  for (let i = 0; i < times; i++) sink = action(i);
}
