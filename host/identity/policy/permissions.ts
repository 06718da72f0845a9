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
  /** An action, where no rule about it has a variable: these answer all connections alike. */
  private readonly judges: readonly (Judge | undefined)[];
  private readonly personal: readonly Rule[];

  constructor(policies: readonly Policy[]) {
    const rules = policies.flat();
    this.personal = rules.filter((rule) => isPersonal(rule.pattern));
    const general = rules.filter((rule) => !isPersonal(rule.pattern));
    this.shared = ACTIONS.map((action) => tableOf(general, action, NOBODY));
    this.judges = ACTIONS.map((action) => {
      const isGeneral = this.personal.every((rule) => rule.action !== action);
      return isGeneral ? new Judge([this.shared[action]!]) : undefined;
    });
  }

  /** What one connection may do, with its values of the variables. */
  for(variables: Variables): Permissions {
    const judges = ACTIONS.map((action) => {
      return this.judges[action] ?? new Judge([this.shared[action]!, tableOf(this.personal, action, variables)]);
    });
    return new Permissions(judges);
  }
}

/** What is said of one action. */
interface Table {
  readonly allow: Rules | undefined;
  readonly deny: Rules | undefined;
}

function tableOf(rules: readonly Rule[], action: Action, variables: Variables): Table {
  const about = rules.filter((rule) => rule.action === action);
  return { allow: rulesOf(about, 'Allow', action, variables), deny: rulesOf(about, 'Deny', action, variables) };
}

/** Undefined where there are none. */
function rulesOf(
  about: readonly Rule[],
  effect: Rule['effect'],
  action: Action,
  variables: Variables,
): Rules | undefined {
  const { type } = KINDS[action];
  // Nobody knows what a variable without a value would have allowed, nor what it would have forbidden: nothing, and anything.
  const instead = effect === 'Deny' ? ANY : undefined;
  let rules: Rules | undefined;
  for (const rule of about) {
    const bound = rule.effect === effect ? bind(rule.pattern, variables, type !== 'client', instead) : undefined;
    if (bound === undefined) continue;
    rules ??= new Rules(`${type}/`);
    rules.add(bound, rule.isWhole);
  }
  return rules;
}

/** Answers that a judge keeps; when there are so many, all are forgotten. */
const KEPT_MAX = 64;
/** Longer names are not kept: a client chooses them, and the memory is ours. */
const KEPT_CHARS_MAX = 256;

/** One action. Deny goes before Allow, and what nobody allows is denied. */
class Judge {
  private readonly allow: readonly Rules[];
  private readonly deny: readonly Rules[];
  /** Undefined until it is needed. */
  private kept: Map<string, boolean> | undefined;
  private readonly isCheap: boolean;

  constructor(tables: readonly Table[]) {
    this.allow = tables.map((table) => table.allow).filter((rules) => rules !== undefined);
    this.deny = tables.map((table) => table.deny).filter((rules) => rules !== undefined);
    this.isCheap = [...this.allow, ...this.deny].every((rules) => rules.isCheap);
  }

  allows(name: string): boolean {
    if (this.isCheap) return !someIncludes(this.deny, name) && someIncludes(this.allow, name);
    const kept = this.kept?.get(name);
    if (kept !== undefined) return kept;
    const answer = !someIncludes(this.deny, name) && someIncludes(this.allow, name);
    if (name.length <= KEPT_CHARS_MAX) this.keep(name, answer);
    return answer;
  }

  private keep(name: string, answer: boolean): void {
    this.kept ??= new Map();
    if (this.kept.size === KEPT_MAX) this.kept.clear();
    this.kept.set(name, answer);
  }
}

function someIncludes(all: readonly Rules[], name: string): boolean {
  for (let i = 0; i < all.length; i++) if (all[i]!.includes(name)) return true;
  return false;
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
