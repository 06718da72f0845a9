// The whole of it on real sockets: the device's own bytes, UDP, the gateway, the broker, TCP, and clients and a dissector
// that other people wrote.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EventKind, PacketType } from '../../assembly/protocol/index.js';
import { pcapHeader, pcapRecord } from '../../host/sim/pcap.js';
import { describeWithTools } from '../tools.js';
import { dissect, expectTypes } from './captures.js';
import {
  HOST,
  Modem,
  type Ports,
  type Program,
  publish,
  startBroker,
  subscribe,
  temporaryFolder,
  thimble,
  until,
} from './world.js';

const QOS_LEVELS = [0, 1, 2] as const;
const PREDEFINED_ID = 7;
const KEEP_ALIVE_S = 30;
/** The serial number of the light under test. */
const SEED = 42;
const SERIAL = '0000002a';

describeWithTools(['mosquitto_pub', 'mosquitto_sub', 'tshark'], 'on real sockets', () => {
  let broker: Program;
  let ports: Ports;
  let capture: string;

  beforeAll(async () => {
    const folder = temporaryFolder();
    capture = join(folder, 'air.pcap');
    const config = join(folder, 'config.json');
    writeFileSync(config, JSON.stringify({ gateway: { predefined: { '*': { [PREDEFINED_ID]: 'yard/tags' } } } }));
    const started = await startBroker('--config', config, '--pcap', capture);
    broker = started.broker;
    ports = started;
  });

  describe('the modem module', () => {
    it.each(QOS_LEVELS)('publishes at QoS %i to mosquitto_sub', async (qos) => {
      const sub = await subscribe(ports.mqtt, `up/${qos}/#`);
      const modem = await Modem.start(ports.sn, `up-${qos}`);
      await modem.connect(KEEP_ALIVE_S);
      const topic = modem.topic(`up/${qos}/level`);
      for (let i = 0; i < 5; i++) {
        const ticket = modem.publish(topic, `level ${i}`, qos);
        if (qos > 0) expect((await modem.event(EventKind.Published)).ticket).toBe(ticket);
        await sub.line(new RegExp(`^${qos} 0 up/${qos}/level level ${i}$`));
      }
      await modem.disconnect();
    });

    it.each(QOS_LEVELS)('takes what mosquitto_pub publishes at QoS %i', async (qos) => {
      const modem = await Modem.start(ports.sn, `down-${qos}`);
      await modem.connect(KEEP_ALIVE_S);
      await modem.subscribe(modem.topic(`down/${qos}/+`), qos);
      for (let i = 0; i < 5; i++) {
        await publish(ports.mqtt, `down/${qos}/level`, `level ${i}`, '-q', `${qos}`);
        expect(await modem.message()).toBe(`down/${qos}/level level ${i}`);
      }
      // The QoS held all the way: each message ended with what its QoS ends with.
      if (qos === 1) await until('PUBACKs', () => modem.sent(PacketType.PubAck) === 5);
      if (qos === 2) await until('PUBCOMPs', () => modem.sent(PacketType.PubComp) === 5);
      await modem.disconnect();
      expect(modem.events.filter((event) => event.kind === EventKind.Message)).toEqual([]);
    });

    it('takes what was retained before it came', async () => {
      await publish(ports.mqtt, 'kept/level', 'old', '-q', '1', '-r');
      const modem = await Modem.start(ports.sn, 'latecomer');
      await modem.connect(KEEP_ALIVE_S);
      await modem.subscribe(modem.topic('kept/level'), 1);
      expect(await modem.message()).toBe('kept/level old');
      await modem.disconnect();
    });

    it('takes what was retained again when it comes back to a new session', async () => {
      await publish(ports.mqtt, 'again/level', 'old', '-q', '1', '-r');
      const modem = await Modem.start(ports.sn, 'returner');
      await modem.connect(KEEP_ALIVE_S);
      await modem.subscribe(modem.topic('again/level'), 1);
      expect(await modem.message()).toBe('again/level old');
      await modem.disconnect();
      await modem.connect(KEEP_ALIVE_S); // clean: it subscribes again by itself
      expect(await modem.message()).toBe('again/level old');
      await modem.disconnect();
    });

    it('leaves a retained message for those who come later', async () => {
      const modem = await Modem.start(ports.sn, 'keeper');
      await modem.connect(KEEP_ALIVE_S);
      modem.publish(modem.topic('keeper/state'), 'on', 1, 1);
      await modem.event(EventKind.Published);
      await modem.disconnect();
      const sub = await subscribe(ports.mqtt, 'keeper/#');
      await sub.line(/^1 1 keeper\/state on$/);
    });

    it('is heard without a connection, at QoS -1: by a predefined topic and by a short one', async () => {
      const sub = await subscribe(ports.mqtt, '#');
      const modem = await Modem.start(ports.sn, 'shouter');
      const tags = modem.predefined(PREDEFINED_ID);
      const short = modem.short('ab');
      modem.publish(tags, 'a tag', -1);
      await sub.line(/^0 0 yard\/tags a tag$/);
      modem.publish(short, 'a shout', -1);
      await sub.line(/^0 0 ab a shout$/);
      expect(modem.packets.map(({ packet }) => packet.type)).toEqual([PacketType.Publish, PacketType.Publish]);
    });

    it('sleeps without being disturbed, and gets what was kept once it wakes', async () => {
      const sleepS = 2;
      const modem = await Modem.start(ports.sn, 'sleeper');
      await modem.connect(KEEP_ALIVE_S);
      await modem.subscribe(modem.topic('sleeper/+'), 1);
      await modem.sleep(sleepS);
      const before = modem.packets.length;
      const messages = ['first', 'second', 'third'];
      for (const text of messages) await publish(ports.mqtt, 'sleeper/in', text, '-q', '1');
      for (const text of messages) expect(await modem.message()).toBe(`sleeper/in ${text}`);
      // The first word after falling asleep is the device's own: it says that it is awake, and who it is.
      const [first] = modem.packets.slice(before);
      expect(first).toMatchObject({ direction: 'up', packet: { type: PacketType.PingReq } });
      await modem.event(EventKind.Asleep);
      await modem.connect(KEEP_ALIVE_S);
      await modem.disconnect();
    });
  });

  describe('thimble run', () => {
    it('makes a light that mosquitto_pub switches', async () => {
      const sub = await subscribe(ports.mqtt, 'home/#');
      const gateway = `${HOST}:${ports.sn}`;
      const light = thimble('run', 'light', '--gateway', gateway, '--seed', `${SEED}`, '--json');
      const state = (n: number, isOn: boolean): RegExp =>
        new RegExp(`^1 0 home/light-${SERIAL}/state \\{"seq":${n},"on":${isOn}\\}$`);
      await sub.line(new RegExp(`^1 0 home/light-${SERIAL}/status online$`));
      await sub.line(state(1, false));
      await publish(ports.mqtt, `home/light-${SERIAL}/set`, '{"on":true}', '-q', '2');
      await sub.line(state(2, true));
      await publish(ports.mqtt, 'home/all/lights/set', '{"on":false}', '-q', '1');
      await sub.line(state(3, false));
      expect(await light.stop('SIGINT')).toBe(0);
      const report = JSON.parse(light.lines.join('\n')) as Record<string, number>;
      expect(report).toMatchObject({ serial: SERIAL, malformed: 0, gatewayLost: 0 });
      expect(report.datagramsOut).toBeGreaterThan(0);
      expect(light.lines.length).toBe(1);
    });

    it('makes a sensor that reports and goes back to sleep', async () => {
      // A sensor's first sample comes at a moment of its own within 30 s; this one's comes early. Any seed would do.
      const early = 1149;
      const serial = early.toString(16).padStart(8, '0');
      const sub = await subscribe(ports.mqtt, 'home/+/temperature');
      const sensor = thimble('run', 'sensor', '--gateway', `${HOST}:${ports.sn}`, '--seed', `${early}`, '--verbose');
      await sub.line(new RegExp(`^1 0 home/sensor-${serial}/temperature \\{"seq":1,"celsius":-?\\d+\\.\\d\\d\\}$`));
      await until('the sleep after the report', () => /→ PUBLISH .*celsius.*→ DISCONNECT +4 B/s.test(sensor.errors));
      expect(await sensor.stop('SIGTERM')).toBe(0);
    });

    it('runs for as long as it was told', async () => {
      const program = thimble('run', 'light', '--gateway', `${HOST}:${ports.sn}`, '--seed', '7', '--for', '0.5');
      expect(await program.exit()).toBe(0);
      expect(program.lines[0]).toMatch(
        /^light\.wasm \(00000007\) runs against 127\.0\.0\.1:\d+; Ctrl-C switches it off$/,
      );
      expect(program.lines[1]).toMatch(/^\d+ datagrams sent, \d+ received, 0 sent again, gateway lost 0 times$/);
    });

    it('runs an application from outside the package, whose will is published when its process dies', async () => {
      const module = join(temporaryFolder(), 'mortal.wasm');
      const source = join(import.meta.dirname, 'apps', 'mortal.ts');
      expect(await thimble('build', source, '--out', module, '--json').exit()).toBe(0);
      const sub = await subscribe(ports.mqtt, 'mortal/#');
      const device = thimble('run', module, '--gateway', `${HOST}:${ports.sn}`);
      await sub.line(/^1 0 mortal\/alive here$/);
      await device.stop('SIGKILL');
      await sub.line(/^1 0 mortal\/status gone$/);
    });
  });

  describe('the recorded capture', () => {
    it('is MQTT-SN to the last packet in tshark', async () => {
      expect(await broker.stop('SIGTERM')).toBe(0);
      expectTypes(dissect(capture, ports.sn), {
        Connect: PacketType.Connect,
        ConnAck: PacketType.ConnAck,
        WillTopicReq: PacketType.WillTopicReq,
        WillTopic: PacketType.WillTopic,
        WillMsgReq: PacketType.WillMsgReq,
        WillMsg: PacketType.WillMsg,
        Register: PacketType.Register,
        RegAck: PacketType.RegAck,
        Publish: PacketType.Publish,
        PubAck: PacketType.PubAck,
        PubRec: PacketType.PubRec,
        PubRel: PacketType.PubRel,
        PubComp: PacketType.PubComp,
        Subscribe: PacketType.Subscribe,
        SubAck: PacketType.SubAck,
        PingReq: PacketType.PingReq,
        PingResp: PacketType.PingResp,
        Disconnect: PacketType.Disconnect,
      });
    });
  });
});

describeWithTools(['tshark'], "the simulator's capture", () => {
  const CAPTURE_PORT = 1884;

  it('would be found out if a packet in it were malformed', () => {
    const file = join(temporaryFolder(), 'bad.pcap');
    const endpoint = { ip: '10.0.0.1', port: CAPTURE_PORT };
    const truncated = Uint8Array.from([7, PacketType.PubAck, 0, 1]);
    const record = pcapRecord({ timestampMicros: 0, from: endpoint, to: endpoint, payload: truncated });
    writeFileSync(file, Buffer.concat([pcapHeader(), record]));
    expect(() => dissect(file, CAPTURE_PORT)).toThrow();
  });

  it('is MQTT-SN to the last packet in tshark', async () => {
    const file = join(temporaryFolder(), 'lab.pcap');
    const sim = thimble('sim', 'lab', '--pcap', file, '--json');
    expect(await sim.exit()).toBe(0);
    const report = JSON.parse(sim.lines.join('\n')) as { classes: { datagramsUp: number; datagramsDown: number }[] };
    const counts = dissect(file, CAPTURE_PORT);
    expectTypes(counts, {
      Connect: PacketType.Connect,
      WillTopic: PacketType.WillTopic,
      Register: PacketType.Register,
      Publish: PacketType.Publish,
      PubComp: PacketType.PubComp,
      Subscribe: PacketType.Subscribe,
      PingReq: PacketType.PingReq,
      Disconnect: PacketType.Disconnect,
    });
    const packets = [...counts.values()].reduce((sum, count) => sum + count, 0);
    expect(packets).toBe(report.classes.reduce((sum, c) => sum + c.datagramsUp + c.datagramsDown, 0));
  });
});

describe('thimble broker', () => {
  async function canListen({ mqtt, sn }: Ports): Promise<void> {
    const server = createServer().listen(mqtt, HOST);
    await once(server, 'listening');
    server.close();
    const socket = createSocket('udp4');
    socket.bind(sn, HOST);
    await once(socket, 'listening');
    socket.close();
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends at %s at once and well, says goodbye, and frees its ports',
    async (signal) => {
      const { broker, ...ports } = await startBroker();
      const modem = await Modem.start(ports.sn, 'client');
      await modem.connect(KEEP_ALIVE_S);
      const idle = connect(ports.mqtt, HOST); // says nothing, and would stay for ever
      await once(idle, 'connect');
      expect(await broker.stop(signal)).toBe(0);
      expect(broker.errors).toBe('');
      await until('the end of the idle socket', () => idle.closed);
      await until('DISCONNECT', () => modem.received(PacketType.Disconnect) === 1);
      await canListen(ports);
    },
  );

  it('says which port is taken, on TCP and on UDP', async () => {
    const { mqtt, sn } = await startBroker();
    const second = thimble('broker', '--mqtt', `${mqtt}`, '--sn', '0');
    expect(await second.exit()).toBe(2);
    expect(second.errors).toMatch(
      new RegExp(`^thimble: [^\\n]*TCP port ${mqtt}: [^\\n]*another port[^\\n]*\\[ERR_TCP_LISTEN\\]\\n$`),
    );
    const third = thimble('broker', '--mqtt', '0', '--sn', `${sn}`);
    expect(await third.exit()).toBe(2);
    expect(third.errors).toMatch(
      new RegExp(`^thimble: [^\\n]*UDP port ${sn}: [^\\n]*another port[^\\n]*\\[ERR_UDP_LISTEN\\]\\n$`),
    );
    expect([...second.lines, ...third.lines]).toEqual([]);
  });

  it('says where it listens, to people too, and what happens where that is asked for', async () => {
    const program = thimble('broker', '--mqtt', '0', '--sn', '0', '--verbose');
    const line = await program.line(/^MQTT-SN 1\.2 on 127\.0\.0\.1, UDP port \d+$/);
    await program.line(/^Ctrl-C/);
    const modem = await Modem.start(Number(line.split(' ').at(-1)), 'noisy');
    await modem.connect(KEEP_ALIVE_S);
    expect(await program.stop('SIGINT')).toBe(0);
    expect(program.lines.length).toBe(4); // and where messages end
  });

  it('advertises itself where it is told to', async () => {
    const neighbour = createSocket({ type: 'udp4', reuseAddr: true });
    neighbour.bind(0);
    await once(neighbour, 'listening');
    const heard = once(neighbour, 'message');
    // All of loopback: what a subnet's broadcast address is on a real network.
    const { broker } = await startBroker('--broadcast', `127.255.255.255:${neighbour.address().port}`);
    const [octets] = (await heard) as [Buffer];
    expect(octets[1]).toBe(PacketType.Advertise);
    neighbour.close();
    expect(await broker.stop('SIGTERM')).toBe(0);
  });

  it('listens on the port that it is given again and again', async () => {
    const first = await startBroker();
    expect(await first.broker.stop('SIGTERM')).toBe(0);
    const second = thimble('broker', '--mqtt', `${first.mqtt}`, '--sn', `${first.sn}`, '--json');
    expect(JSON.parse(await second.line(/^\{/))).toMatchObject({ mqtt: first.mqtt, sn: first.sn, host: HOST });
  });
});

describe('thimble run', () => {
  it('goes on where nobody answers, says so once, and ends well', async () => {
    const { broker, sn } = await startBroker();
    await broker.stop('SIGTERM');
    const device = thimble('run', 'light', '--gateway', `${HOST}:${sn}`, '--json');
    await until('a complaint', () => device.errors.includes('the client keeps trying\n'));
    expect(await device.stop('SIGTERM')).toBe(0);
    expect(device.errors.match(/keeps trying/g)).toHaveLength(1);
    expect(JSON.parse(device.lines.join('\n'))).toMatchObject({ datagramsIn: 0 });
  });
});
