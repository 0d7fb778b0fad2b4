import pino from 'pino';
import t from 'tap';
import type { ClientMessage, Report } from '../../../../api/discovery.ts';
import { type ManualClock, manualClock } from '../../../../common/clock.ts';
import type { StreamHandlers } from '../../../../sidecar/discovery/control-plane-stream.ts';
import type { SnapshotStore } from '../../../../sidecar/discovery/snapshot-store.ts';
import { Subscriber, type SubscriberOptions } from '../../../../sidecar/discovery/subscriber.ts';
import type { Subscriptions } from '../../../../sidecar/discovery/subscriptions.ts';
import type { CertificateStore } from '../../../../sidecar/identity/certificate-store.ts';

const WELCOME = JSON.stringify({ type: 'welcome', sidecar: 'web-1', wallMs: 0, release: '0.1.0' });

/** A subscriber with a certificate, and streams whose other end is the test. */
const start = (health: Report['health'] = 'Healthy') => {
  const clock: ManualClock = manualClock();
  const sent: ClientMessage[] = [];
  const streams: StreamHandlers[] = [];
  let renewed = (): void => {};
  const options: Partial<SubscriberOptions> = {
    controlPlanes: ['https://cp'],
    description: {
      release: '0.1.0',
      instance: 'one',
      service: 'web',
      ports: [],
      labels: {},
      locality: '',
      advertise: () => '127.0.0.1:1',
      health: () => ({ ready: health === 'Healthy', health }),
    },
    certificates: {
      current: { certificatePem: '', keyPem: '', trustBundlePem: '', notAfterMs: 0 },
      onChange: (listener: () => void) => {
        renewed = listener;
        return () => {};
      },
    } as unknown as CertificateStore,
    snapshots: {
      snapshots: { value: { configVersion: '', endpointVersion: '', services: [] } },
    } as unknown as SnapshotStore,
    subscriptions: { names: [], answered: () => {} } as unknown as Subscriptions,
    open: async (_url, _tls, handlers) => {
      streams.push(handlers);
      return {
        localAddress: '127.0.0.1',
        closed: false,
        send: message => void sent.push(message as ClientMessage),
        close: reason => handlers.closed(reason),
      };
    },
    clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
  };
  const subscriber = new Subscriber(options as SubscriberOptions);
  subscriber.start();
  /** Connects, or connects again. */
  const connect = async (): Promise<void> => {
    clock.advance(5_000);
    await new Promise(resolve => setImmediate(resolve));
    streams.at(-1)?.line(WELCOME);
  };
  const types = (): string[] => sent.splice(0).map(({ type }) => type);
  return { clock, sent, streams, subscriber, connect, types, renew: () => renewed() };
};

t.test('the hello says how the app is, before anybody is sent to it', async t => {
  const { sent, connect } = start('Unhealthy');
  await connect();
  t.match(sent, [
    { type: 'hello', health: 'Unhealthy' },
    { type: 'report', health: 'Unhealthy' },
  ]);
});

t.test('a goodbye is over when the control plane confirms it, when the stream ends, or in time', async t => {
  for (const end of ['gone', 'closed', 'time'] as const) {
    const { clock, streams, subscriber, connect, sent } = start();
    await connect();
    let over = false;
    const bye = subscriber.bye(2_000).then(() => {
      over = true;
    });
    t.match(sent.at(-1), { type: 'bye', confirm: true });
    await new Promise(resolve => setImmediate(resolve));
    t.notOk(over);
    if (end === 'gone') streams[0]?.line('{"type":"gone"}');
    if (end === 'closed') streams[0]?.closed('lost');
    if (end === 'time') clock.advance(2_000);
    await bye;
    t.ok(over, end);
    streams[0]?.line('{"type":"gone"}');
  }
  const { subscriber } = start();
  await subscriber.bye(2_000);
  t.pass('without a connection it is over at once');
});

t.test(
  'a renewed certificate gets a stream of its own, but nobody leaves before his goodbye is answered for it',
  async t => {
    const { streams, subscriber, connect, types, renew } = start();
    await connect();
    renew();
    await connect();
    t.equal(streams.length, 2);
    t.same(types(), ['hello', 'report', 'hello', 'report']);
    let over = false;
    const bye = subscriber.bye(2_000).then(() => {
      over = true;
    });
    renew();
    await new Promise(resolve => setImmediate(resolve));
    t.notOk(over);
    streams[1]?.line('{"type":"gone"}');
    await bye;
    t.equal(streams.length, 2);
  },
);

t.test('who has said goodbye says it again on a new stream', async t => {
  const { streams, subscriber, connect, types } = start();
  await connect();
  const bye = subscriber.bye(2_000);
  streams[0]?.closed('the control plane restarts');
  await bye;
  types();
  await connect();
  t.same(types(), ['hello', 'report', 'bye']);
});
