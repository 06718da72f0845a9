// Where Thimble is not first, in words: found in the figures, so that nobody can forget to say it.
import type { BrokerName } from './brokers.js';
import type { Figure } from './rows.js';
import type { Measured } from './run.js';

const OWN: BrokerName = 'thimble';

type Compared = Omit<Measured, 'abuse'>;

interface Entry {
  readonly broker: BrokerName;
  readonly figure: Figure | undefined;
}

interface Contest {
  readonly title: string;
  readonly entries: readonly Entry[];
  /** What is better. */
  readonly best: 'highest' | 'lowest';
}

function contestsOf({ traffic, connections, memory }: Compared): Contest[] {
  const titleOf = (row: (typeof traffic)[number]): string =>
    `${row.kind} ${row.publishers} → ${row.subscribers}, QoS ${row.qos}`;
  const titles = [...new Set(traffic.map(titleOf))];
  const flows = titles.flatMap((title): Contest[] => {
    const rows = traffic.filter((row) => titleOf(row) === title);
    const entries = (of: (row: (typeof rows)[number]) => Figure | undefined): Entry[] =>
      rows.map((row) => ({ broker: row.broker, figure: of(row) }));
    return [
      { title: `${title}, deliveries per second`, entries: entries((row) => row.deliveriesPerSecond), best: 'highest' },
      { title: `${title}, p50 of latency`, entries: entries((row) => row.p50Ms), best: 'lowest' },
      { title: `${title}, p99 of latency`, entries: entries((row) => row.p99Ms), best: 'lowest' },
    ];
  });
  return [
    ...flows,
    {
      title: 'connections per second',
      entries: connections.map(({ broker, connectionsPerSecond }) => ({ broker, figure: connectionsPerSecond })),
      best: 'highest',
    },
    {
      title: 'memory of an idle connection',
      entries: memory.map(({ broker, bytesPerConnection }) => ({ broker, figure: bytesPerConnection })),
      best: 'lowest',
    },
  ];
}

/** One line for each contest that another broker wins, by so much. */
export function losses(measured: Compared): string[] {
  return contestsOf(measured).flatMap(({ title, entries, best }) => {
    const known = entries.flatMap(({ broker, figure }) =>
      figure === undefined ? [] : [{ broker, value: figure.median }],
    );
    const own = known.find(({ broker }) => broker === OWN)?.value;
    if (own === undefined) return entries.some(({ broker }) => broker === OWN) ? [`${title}: no figure of ours`] : [];
    const first = known.reduce((a, b) => ((best === 'highest' ? b.value > a.value : b.value < a.value) ? b : a));
    if (first.value === own) return [];
    const times = best === 'highest' ? first.value / own : own / first.value;
    const verb = best === 'highest' ? 'has' : 'needs';
    const amount = best === 'highest' ? `${times.toFixed(2)} times as many` : `${(1 / times).toFixed(2)} times as much`;
    return [`${title}: ${first.broker} ${verb} ${amount}`];
  });
}
