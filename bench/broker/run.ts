// Runs the tasks: round by round, in each round task by task, each task with one broker after the other, so that what
// else the machine does hits all of them. Within a round a broker is one process, which is idle while others have their
// turn; the load is a new process every time.
import { type AbuseRow, runAbuse } from './abuse.js';
import { BrokerProcess } from './broker-process.js';
import type { BrokerName, BrokerSpec } from './brokers.js';
import type { ConnectsResult, IdleResult } from './crowd.js';
import type { TrafficResult } from './generator.js';
import { load } from './load.js';
import { type ConnectsRow, connectsRow, type IdleRow, idleRow, Rounds, type TrafficRow, trafficRow } from './rows.js';
import { type Effort, type Selection, type TrafficTask, windowsOf } from './tasks.js';

export interface Measured {
  readonly traffic: readonly TrafficRow[];
  readonly connections: readonly ConnectsRow[];
  readonly memory: readonly IdleRow[];
  readonly abuse: readonly AbuseRow[];
}

export interface Plan {
  readonly brokers: readonly BrokerSpec[];
  readonly tasks: Selection;
  readonly effort: Effort;
  /** Told what comes next. */
  readonly progress: (what: string) => void;
}

/** The brokers of a round, each started when it is first wanted, and again when it has ended by itself. */
class Stable {
  private readonly running = new Map<BrokerName, BrokerProcess>();

  async get(spec: BrokerSpec): Promise<BrokerProcess> {
    const found = this.running.get(spec.name);
    if (found?.isAlive === true) return found;
    await found?.stop();
    this.running.delete(spec.name);
    const broker = await BrokerProcess.start(spec);
    this.running.set(spec.name, broker);
    return broker;
  }

  async close(): Promise<void> {
    for (const broker of this.running.values()) await broker.stop();
  }
}

/** Rounds by task and broker. */
class Table<R> {
  private readonly cells = new Map<string, Rounds<R>>();

  of(task: number, broker: BrokerName): Rounds<R> {
    const key = `${task} ${broker}`;
    const rounds = this.cells.get(key) ?? new Rounds<R>();
    this.cells.set(key, rounds);
    return rounds;
  }
}

const titleOf = ({ kind, shape }: TrafficTask): string =>
  `${kind}, ${shape.publishers} to ${shape.subscribers}, QoS ${shape.qos}`;

class Run {
  private readonly traffic = new Table<TrafficResult>();
  private readonly connects = new Table<ConnectsResult>();
  private readonly idle = new Table<IdleResult>();

  constructor(private readonly plan: Plan) {}

  async round(index: number): Promise<void> {
    const { brokers, tasks, effort } = this.plan;
    // Each begins in turn, so that none always comes after the same.
    const order = brokers.map((_, i) => brokers[(i + index) % brokers.length]!);
    const stable = new Stable();
    try {
      for (const [i, task] of tasks.traffic.entries()) {
        for (const spec of order.filter(({ qosMax }) => task.shape.qos <= qosMax)) {
          this.say(index, titleOf(task), spec);
          await this.traffic.of(i, spec.name).add(async () => this.flow(await stable.get(spec), task));
        }
      }
      if (!tasks.connections) return;
      for (const spec of order) {
        this.say(index, 'connections', spec);
        const { connections } = effort;
        const measure = async (): Promise<ConnectsResult> =>
          load(await stable.get(spec), { kind: 'connects', connections });
        await this.connects.of(0, spec.name).add(measure);
      }
    } finally {
      await stable.close();
    }
  }

  /** In a process that has done nothing before: what garbage there was would be counted, or hide what came. */
  async weigh(): Promise<void> {
    const connections = this.plan.effort.idleConnections;
    for (const spec of this.plan.brokers) {
      this.say(0, 'memory', spec);
      await this.idle.of(0, spec.name).add(async () => {
        const broker = await BrokerProcess.start(spec);
        try {
          return await load(broker, { kind: 'idle', connections });
        } finally {
          await broker.stop();
        }
      });
    }
  }

  get measured(): Omit<Measured, 'abuse'> {
    const { brokers, tasks } = this.plan;
    return {
      traffic: tasks.traffic.flatMap((task, i) =>
        brokers
          .filter(({ qosMax }) => task.shape.qos <= qosMax)
          .map(({ name }) => trafficRow(task, name, this.traffic.of(i, name))),
      ),
      connections: tasks.connections ? brokers.map(({ name }) => connectsRow(name, this.connects.of(0, name))) : [],
      memory: tasks.memory ? brokers.map(({ name }) => idleRow(name, this.idle.of(0, name))) : [],
    };
  }

  private flow(broker: BrokerProcess, { shape, messagesPerSecond }: TrafficTask): Promise<TrafficResult> {
    const { warmupMs, floodMs, paceMs } = this.plan.effort;
    const windows = windowsOf(shape.qos);
    return load(broker, { kind: 'traffic', shape, windows, warmupMs, floodMs, messagesPerSecond, paceMs });
  }

  private say(round: number, what: string, { name }: BrokerSpec): void {
    this.plan.progress(`round ${round + 1} of ${this.plan.effort.rounds}: ${what}: ${name}`);
  }
}

export async function runBench(plan: Plan): Promise<Measured> {
  const run = new Run(plan);
  const hasRounds = plan.tasks.traffic.length > 0 || plan.tasks.connections;
  for (let index = 0; hasRounds && index < plan.effort.rounds; index++) await run.round(index);
  if (plan.tasks.memory) await run.weigh();
  const { tasks, brokers, effort, progress } = plan;
  const isAbused = tasks.abuse && brokers.some(({ name }) => name === 'thimble');
  return { ...run.measured, abuse: isAbused ? await runAbuse(effort, progress) : [] };
}
