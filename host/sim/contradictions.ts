// What is wrong with a scenario although every part of it is well-formed.
import { isValidTopicFilter, isValidTopicName } from '../core/topics.js';
import { LINK_DEFAULTS } from './link.js';
import { type ClientCommand, DEVICES_MAX, type DeviceGroup, type RadioOptions, type Scenario } from './scenario.js';

/** The first contradiction, with its place and what is allowed; undefined where there is none. */
export function findContradiction(scenario: Scenario): string | undefined {
  const devices = scenario.devices.reduce((sum, group) => sum + group.count, 0);
  if (devices > DEVICES_MAX) return `devices: ${devices} in all, at most ${DEVICES_MAX} are possible`;
  const measuring = scenario.clients.filter((client) => client.measures === true).length;
  if (measuring !== 1) return `clients: exactly one has "measures": true, not ${measuring}`;
  const delays = findDelays('radio', scenario.radio) ?? findGroupDelays(scenario.devices);
  if (delays !== undefined) return delays;
  return findGatewayProblem(scenario) ?? findClientProblem(scenario) ?? findUpdateProblem(scenario);
}

function findGatewayProblem({ gateways = [] }: Scenario): string | undefined {
  const ids = new Set<number>();
  for (const [i, { gwId, outages }] of gateways.entries()) {
    // Nor could the broker tell them apart.
    if (ids.has(gwId)) return `gateways[${i}].gwId is ${gwId}, which another gateway has already`;
    ids.add(gwId);
    for (const key of ['everyS', 'forS'] as const) {
      const [min, max] = outages?.[key] ?? [0, 0];
      if (min > max) return `gateways[${i}].outages.${key} is [${min}, ${max}]: the shorter time comes first`;
    }
  }
  return undefined;
}

function findClientProblem({ clients, devices, durationS }: Scenario): string | undefined {
  const classes = new Set(devices.map((group) => group.class));
  const names = new Set<string>();
  for (const [i, client] of clients.entries()) {
    const place = `clients[${i}]`;
    // A second client of a name would take the first one's session over.
    if (names.has(client.name)) return `${place}.name is "${client.name}", which another client is called already`;
    names.add(client.name);
    if ((client.joinsAtS ?? 0) >= durationS) return `${place}.joinsAtS must be less than durationS, ${durationS}`;
    for (const [j, { filter }] of (client.subscribe ?? []).entries()) {
      if (isValidTopicFilter(filter)) continue;
      return `${place}.subscribe[${j}].filter "${filter}" is no topic filter: + is a whole level, # the last one`;
    }
    for (const [j, command] of (client.commands ?? []).entries()) {
      const problem = findCommandProblem(command, classes);
      if (problem !== undefined) return `${place}.commands[${j}]${problem}`;
    }
  }
  return undefined;
}

function findUpdateProblem({ updates = [], devices, durationS }: Scenario): string | undefined {
  const classes = new Set(devices.map((group) => group.class));
  const updated = new Set<string>();
  for (const [i, update] of updates.entries()) {
    const place = `updates[${i}]`;
    if (!classes.has(update.class)) return `${place}.class is "${update.class}"; there are ${[...classes].join(', ')}`;
    if (updated.has(update.class)) return `${place}.class is "${update.class}", which another update is for already`;
    updated.add(update.class);
    if (update.atS >= durationS) return `${place}.atS must be less than durationS, ${durationS}`;
    for (const key of ['topic', 'status'] as const) {
      if (isValidTopicName(update[key]) && update[key].includes('{serial}')) continue;
      return `${place}.${key} "${update[key]}": a topic name, without + and #, with {serial} in it`;
    }
  }
  return undefined;
}

function findCommandProblem(command: ClientCommand, classes: ReadonlySet<string>): string | undefined {
  if (!classes.has(command.class)) return `.class is "${command.class}"; there are ${[...classes].join(', ')}`;
  if (!isValidTopicName(command.topic)) return `.topic "${command.topic}" is no topic name: it must have no + and no #`;
  return undefined;
}

function findGroupDelays(groups: readonly DeviceGroup[]): string | undefined {
  for (const [i, group] of groups.entries()) {
    const problem = findDelays(`devices[${i}].radio`, group.radio);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A shortest delay above the longest, each with its default. */
function findDelays(place: string, radio: RadioOptions | undefined): string | undefined {
  for (const direction of ['up', 'down'] as const) {
    const { delayMsMin, delayMsMax } = { ...LINK_DEFAULTS, ...radio?.[direction] };
    if (delayMsMin <= delayMsMax) continue;
    const defaults = `defaults ${LINK_DEFAULTS.delayMsMin} and ${LINK_DEFAULTS.delayMsMax}`;
    return `${place}.${direction}: delayMsMin, ${delayMsMin}, must not be above delayMsMax, ${delayMsMax} (${defaults})`;
  }
  return undefined;
}
