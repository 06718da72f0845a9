// Many devices, one gateway and three nodes of NATS, one of which is killed while everybody publishes: what a publisher was
// told is taken arrives. Prints how long it took until every device was served again.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Closers } from '../../host/cli/closers.js';
import { openUdpGateway, parseAddress } from '../../host/net/udp.js';
import { makeUpstream } from '../host/net/mqtt-upstream-world.js';
import { describeWithTools } from '../tools.js';
import { type NatsNode, startNatsCluster, untilSo } from './brokers.js';
import { Application, Ledger, PREDEFINED, Talker } from './talkers.js';
import { HOST } from './world.js';

const DEVICES = 20;
/** Messages of each device between one death and the next. */
const ROUND = 50;
/** How long a node may take to say how it is, ms. */
const FETCH_MS = 5_000;
/** Three nodes and twenty devices may take long to start and to end on a machine that is busy otherwise, ms. */
const HOOK_MS = 300_000;

interface Stream {
  readonly name: string;
  readonly cluster: {
    readonly leader?: string;
    readonly replicas?: { readonly current: boolean; readonly offline?: boolean }[];
  };
}

/** Where NATS keeps messages of QoS 1, retained ones and sessions. */
const STREAMS = ['$MQTT_msgs', '$MQTT_rmsgs', '$MQTT_sess'] as const;

/** The streams of the MQTT account as one node sees them; none where it does not answer. */
async function streamsAt(node: NatsNode): Promise<Stream[]> {
  try {
    const answer = await fetch(`http://${HOST}:${node.monitorPort}/jsz?accounts=true&streams=true`, {
      signal: AbortSignal.timeout(FETCH_MS),
    });
    const { account_details = [] } = (await answer.json()) as { account_details?: { stream_detail?: Stream[] }[] };
    return account_details.flatMap(({ stream_detail = [] }) => stream_detail);
  } catch {
    return [];
  }
}

describeWithTools(['nats-server'], 'a cluster of three nodes', () => {
  const ledger = new Ledger();
  let nodes: NatsNode[];
  let talkers: Talker[];
  /** What was begun, however far that went. */
  const closers = new Closers();

  beforeAll(async () => {
    nodes = await startNatsCluster();
    const urls = nodes.map(({ port }) => `mqtt://${HOST}:${port}`);
    const upstream = makeUpstream(urls);
    closers.add(() => upstream.close());
    const listener = makeUpstream(urls);
    closers.add(() => listener.close());
    const gateway = await openUdpGateway({
      upstream,
      config: { predefined: PREDEFINED, tAdvMs: 0 },
    });
    closers.add(() => gateway.close());
    const application = new Application(listener, ledger);
    closers.add(() => application.stop());
    await application.start();
    const { port } = parseAddress(gateway.address)!;
    talkers = Array.from({ length: DEVICES }, (_, i) => new Talker(`device-${i}`, port, ledger));
    closers.add(() => {
      for (const talker of talkers) talker.stop();
    });
  }, HOOK_MS);

  // The nodes end with all programs, whatever fails here.
  afterAll(() => closers.close(), HOOK_MS);

  const allDone = (): Promise<void> =>
    untilSo('all are acknowledged', async () => talkers.every(({ isDone }) => isDone));

  /** Every stream has a leader, to whose knowledge every replica has everything. */
  const whole = (): Promise<void> =>
    untilSo('the cluster is whole', async () => {
      const seen = await Promise.all(nodes.map(async (node) => ({ node, streams: await streamsAt(node) })));
      return STREAMS.every((name) =>
        seen.some(({ node, streams }) => {
          const cluster = streams.find((stream) => stream.name === name)?.cluster;
          if (cluster?.leader !== node.name) return false;
          return cluster.replicas?.length === 2 && cluster.replicas.every((r) => r.current && r.offline !== true);
        }),
      );
    });

  async function leaderOf(stream: string): Promise<NatsNode> {
    let leader: NatsNode | undefined;
    await untilSo('there is a leader', async () => {
      const [found] = await Promise.all(nodes.map(streamsAt)).then((seen) =>
        seen.flat().filter(({ name }) => name === stream),
      );
      leader = nodes.find(({ name }) => name === found?.cluster.leader);
      return leader !== undefined;
    });
    return leader!;
  }

  /** Kills a node while everybody publishes; how long the last device waited for its next acknowledgement, ms. */
  async function killUnderLoad(node: NatsNode): Promise<number> {
    for (const talker of talkers) talker.talk(ROUND);
    const halfWay = talkers.map(({ acked }) => acked + ROUND / 2);
    await untilSo('the load runs', async () => talkers.some(({ acked }, i) => acked >= halfWay[i]!));
    await node.server.kill();
    const killedMs = performance.now();
    const before = talkers.map(({ acked }) => acked);
    // Anew served: not the acknowledgement that was on its way.
    await untilSo('all are served again', async () =>
      talkers.every(({ acked, isDone }, i) => isDone || acked >= before[i]! + 2),
    );
    const lastMs = Math.max(...talkers.map(({ lastAckMs }) => lastAckMs));
    await allDone();
    await node.server.start();
    await whole();
    return lastMs - killedMs;
  }

  it('loses nothing that a device was told is taken, whichever node dies', { timeout: 400_000 }, async () => {
    for (const talker of talkers) talker.talk(ROUND);
    const startMs = performance.now();
    await allDone();
    const perSecond = (DEVICES * ROUND) / ((performance.now() - startMs) / 1_000);
    await whole();
    const recoveryMs = { leader: 0, other: 0 };
    for (const kind of ['other', 'leader'] as const) {
      const leader = await leaderOf(STREAMS[0]);
      const node = kind === 'leader' ? leader : nodes.find((other) => other !== leader)!;
      recoveryMs[kind] = await killUnderLoad(node);
    }
    await untilSo('all that was acknowledged has arrived', async () => ledger.missing().length === 0);
    expect(ledger.acknowledged.size).toBe(DEVICES * ROUND * 3);
    const copies = [...ledger.arrived.values()].reduce((sum, count) => sum + count, 0) - ledger.arrived.size;
    const { leader, other } = recoveryMs;
    process.stdout.write(
      `NATS, three nodes: ${Math.round(perSecond)} messages/s at QoS 1; all ${DEVICES} devices served again after the death of a follower in ${Math.round(other)} ms, of the leader in ${Math.round(leader)} ms; ${ledger.acknowledged.size} acknowledged, 0 lost, ${copies} copies\n`,
    );
  });
});
