// What policies allow a connection. What has no variables is made ready once, for all connections that have the same policies; a
// connection adds what its own values make of the rest.
import type { Permit } from '../../broker/access.js';
import type { Qos } from '../../ports.js';
import { ACTIONS, Action, KINDS } from './actions.js';
import type { Policy, Rule } from './document.js';
import { ANY, bind, isPersonal } from './pattern.js';
import { Rules } from './rules.js';
import type { Variables } from './variables.js';

const NOBODY: Variables = () => undefined;

/** The same policies for any number of connections. */
export class PolicySet {
  private readonly shared: readonly Table[];
  private readonly personal: readonly Rule[];

  constructor(policies: readonly Policy[]) {
    const rules = policies.flat();
    this.personal = rules.filter((rule) => isPersonal(rule.pattern));
    this.shared = tablesOf(
      rules.filter((rule) => !isPersonal(rule.pattern)),
      NOBODY,
    );
  }

  /** What one connection may do, with its values of the variables. */
  for(variables: Variables): Permissions {
    const own = this.personal.length === 0 ? undefined : tablesOf(this.personal, variables);
    return new Permissions(ACTIONS.map((action) => new Judge(this.shared[action]!, own?.[action])));
  }
}

/** What is said of one action. */
interface Table {
  readonly allow: Rules;
  readonly deny: Rules;
}

/** For each action, in the order of the enumeration. */
function tablesOf(rules: readonly Rule[], variables: Variables): readonly Table[] {
  const tables = ACTIONS.map((action) => {
    const prefix = `${KINDS[action].type}/`;
    return { allow: new Rules(prefix), deny: new Rules(prefix) };
  });
  for (const { effect, action, pattern, isWhole } of rules) {
    const isTopic = KINDS[action].type !== 'client';
    // Nobody knows what a variable without a value would have allowed, nor what it would have forbidden: nothing, and anything.
    const bound = bind(pattern, variables, isTopic, effect === 'Deny' ? ANY : undefined);
    if (bound !== undefined) tables[action]![effect === 'Deny' ? 'deny' : 'allow'].add(bound, isWhole);
  }
  return tables;
}

/** Answers of one connection that are kept, an action; when there are so many, all are forgotten. */
const KEPT_MAX = 64;
/** Longer names are not kept: a client chooses them, and the memory is ours. */
const KEPT_CHARS_MAX = 256;

/** One action of one connection. */
class Judge {
  private readonly allow: readonly Rules[];
  private readonly deny: readonly Rules[];
  private readonly kept: Map<string, boolean> | undefined;

  constructor(shared: Table, own: Table | undefined) {
    const filled = (effect: keyof Table): Rules[] =>
      [shared[effect], own?.[effect]].filter((rules): rules is Rules => rules?.isEmpty === false);
    this.allow = filled('allow');
    this.deny = filled('deny');
    const isCheap = [...this.allow, ...this.deny].every((rules) => rules.isCheap);
    this.kept = isCheap ? undefined : new Map();
  }

  allows(name: string): boolean {
    if (this.kept === undefined) return this.judge(name);
    const kept = this.kept.get(name);
    if (kept !== undefined) return kept;
    const answer = this.judge(name);
    if (name.length <= KEPT_CHARS_MAX) {
      if (this.kept.size === KEPT_MAX) this.kept.clear();
      this.kept.set(name, answer);
    }
    return answer;
  }

  /** Deny goes before Allow, and what nobody allows is denied. */
  private judge(name: string): boolean {
    for (const rules of this.deny) if (rules.includes(name)) return false;
    for (const rules of this.allow) if (rules.includes(name)) return true;
    return false;
  }
}

export class Permissions implements Permit {
  private readonly publishing: Judge;
  private readonly retaining: Judge;
  private readonly receiving: Judge;

  /** For each action, in the order of the enumeration. */
  constructor(private readonly judges: readonly Judge[]) {
    this.publishing = judges[Action.Publish]!;
    this.retaining = judges[Action.RetainPublish]!;
    this.receiving = judges[Action.Receive]!;
  }

  connect(clientId: string): boolean {
    return this.judges[Action.Connect]!.allows(clientId);
  }

  publish(topic: string, _qos: Qos, retain: boolean): boolean {
    return this.publishing.allows(topic) && (!retain || this.retaining.allows(topic));
  }

  subscribe(filter: string): boolean {
    return this.judges[Action.Subscribe]!.allows(filter);
  }

  receive(topic: string): boolean {
    return this.receiving.allows(topic);
  }
}
