// Tables that give what is counted its name: one row a metric, and in it one field a sample.
import type { Labels, MetricFamily } from './text.js';

/** `of` says which fields of what was counted are its samples, and what tells them apart. */
export interface MetricRow<Field extends string> {
  readonly name: string;
  readonly help: string;
  readonly type: MetricFamily['type'];
  readonly of: Readonly<Partial<Record<Field, Labels>>>;
}

/** True counts as 1, false as 0. */
export type Values<Field extends string> = Readonly<Record<Field, number | boolean>>;

/** The metrics of a table, in its order, with the values there are at this moment. */
export function fromTable<Field extends string>(
  prefix: string,
  rows: readonly MetricRow<Field>[],
  values: Values<Field>,
): MetricFamily[] {
  return rows.map(({ name, help, type, of }) => ({
    name: prefix + name,
    help,
    type,
    samples: (Object.keys(of) as Field[]).map((field) => ({ labels: of[field]!, value: Number(values[field]) })),
  }));
}
