import t from 'tap';
import type { Update } from '../../../../api/discovery.ts';
import { manualClock } from '../../../../common/clock.ts';
import { CONFIRM_MS, type SessionOwner, SidecarSession } from '../../../../control-plane/push/sidecar-session.ts';
import { httpRoute, meta, prefix, service, translatorOf, workload } from '../../../support/objects.ts';

const HELLO = {
  type: 'hello',
  protocol: 1,
  release: '0.1.0',
  instance: 'one',
  service: 'client',
  ports: [],
  labels: {},
  locality: '',
  advertise: '10.0.0.9:15006',
  have: { configVersion: '', endpointVersion: '', services: {} },
  subscriptions: ['web.shop'],
};

const setUp = () => {
  const clock = manualClock();
  const translator = translatorOf(service('web'), workload('a', { service: 'web' }));
  const events: string[] = [];
  const lines: { readonly type: string; readonly reason?: string }[] = [];
  const stream = {
    room: true,
    drained: () => {},
    write: (line: string) => {
      lines.push(JSON.parse(line));
      return stream.room;
    },
    onDrain: (fn: () => void) => {
      stream.drained = fn;
    },
    end: () => void events.push('end'),
    destroy: () => void events.push('destroy'),
  };
  const owner: SessionOwner = {
    opened: () => 'client-one',
    interested: (_session, keys) => void events.push(`interested ${[...keys].sort().join()}`),
    changed: () => {},
    left: () => void events.push('left'),
    upToDate: () => {},
    closed: () => void events.push('closed'),
  };
  const peer = { namespace: 'shop', serviceAccount: 'client', identity: 'x', address: 'y', certificateExpiresAtMs: 0 };
  const session = new SidecarSession(peer, stream, translator, owner, clock, '0.1.0');
  const say = (message: object) => session.receive(JSON.stringify(message));
  const updates = () => lines.filter(line => line.type === 'update') as unknown as Update[];
  return { clock, translator, events, lines, stream, session, say, updates };
};

t.test('hello is answered with a welcome and what the sidecar lacks', t => {
  const { say, lines, events, session } = setUp();
  t.equal(session.state, 'Stale');
  say(HELLO);
  t.match(lines, [
    { type: 'welcome', sidecar: 'client-one' },
    {
      type: 'update',
      update: 1,
      done: true,
      changed: [{ service: 'web.shop', endpoints: [{}] }],
      answers: { 'web.shop': 'web.shop' },
    },
  ]);
  t.same(events, ['interested web.shop']);
  say({ type: 'ack', update: 1 });
  t.equal(session.state, 'Synced');
  t.end();
});

t.test('nothing is sent when nothing differs', t => {
  const { say, updates, session } = setUp();
  say(HELLO);
  say({ type: 'ack', update: 1 });
  session.flush();
  say({ type: 'unsubscribe', names: ['never.shop'] });
  t.equal(updates().length, 1);
  t.end();
});

t.test('one update is under way; what comes meanwhile is in the next as the newest state', t => {
  const { say, updates, session, translator } = setUp();
  say(HELLO);
  for (const path of ['/a', '/b', '/c']) {
    translator.apply({
      type: 'ADDED',
      object: httpRoute('r', { name: 'web' }, [{ matches: [prefix(path)] }], { uid: path }),
    });
    session.flush();
  }
  t.equal(updates().length, 1);
  say({ type: 'ack', update: 1 });
  t.match(updates()[1]?.changed, [{ config: { ports: [{ routes: [{ matches: [{ path: { value: '/c' } }] }] }] } }]);
  t.equal(updates()[1]?.changed[0]?.endpoints, undefined);
  t.end();
});

t.test('what was refused is not sent again until it is another', t => {
  const { say, updates, session, translator } = setUp();
  say(HELLO);
  say({ type: 'ack', update: 1 });
  const acked = session.acked;
  const put = (path: string) => {
    translator.apply({
      type: 'ADDED',
      object: httpRoute('r', { name: 'web' }, [{ matches: [prefix(path)] }], { uid: path }),
    });
    session.flush();
  };
  put('/bad');
  say({ type: 'nack', update: 2, path: 'services[0]', reason: 'no' });
  session.flush();
  t.equal(updates().length, 2);
  t.equal(session.state, 'Refused');
  t.match(session.refused, { path: 'services[0]', reason: 'no' });
  t.same(session.acked, acked);
  translator.apply({ type: 'DELETED', object: httpRoute('r', { name: 'web' }, []) });
  session.flush();
  t.equal(session.state, 'Synced', 'the change was taken back: what the sidecar has is right again');
  put('/good');
  say({ type: 'ack', update: 3 });
  t.equal(session.state, 'Synced');
  t.end();
});

t.test('a name that is asked for again is answered again', t => {
  const { say, updates } = setUp();
  say(HELLO);
  say({ type: 'ack', update: 1 });
  say({ type: 'subscribe', names: ['no.shop'] });
  t.same(updates()[1]?.answers, { 'no.shop': null });
  say({ type: 'ack', update: 2 });
  say({ type: 'unsubscribe', names: ['no.shop'] });
  say({ type: 'subscribe', names: ['no.shop'] });
  t.same(updates()[2]?.answers, { 'no.shop': null });
  t.end();
});

t.test('nothing is written while the stream is full, and a stuck one is dropped', t => {
  const { clock, say, stream, session, lines, events } = setUp();
  stream.room = false;
  say(HELLO);
  const written = lines.length;
  clock.advance(10_000);
  t.equal(lines.length, written, 'no heartbeats pile up');
  say({ type: 'heartbeat', wallMs: 0 });
  clock.advance(10_000);
  say({ type: 'heartbeat', wallMs: 0 });
  clock.advance(CONFIRM_MS - 20_000);
  t.ok(session.closed);
  t.same(events.slice(-2), ['destroy', 'closed']);
  stream.drained();
  t.equal(clock.pending, 0);
  t.end();
});

t.test('heartbeats go both ways; a sidecar that is silent for 15 s is dead', t => {
  const { clock, say, lines, session } = setUp();
  say(HELLO);
  say({ type: 'ack', update: 1 });
  clock.advance(14_000);
  t.equal(lines.filter(({ type }) => type === 'heartbeat').length, 2);
  say({ type: 'heartbeat', wallMs: 0 });
  clock.advance(14_000);
  t.notOk(session.closed);
  clock.advance(6_000);
  t.ok(session.closed);
  t.end();
});

t.test('who does not say hello first, says it twice, or speaks another protocol, is refused with a sentence', t => {
  for (const [messages, reason] of [
    [[{ type: 'ack', update: 1 }], /the first line must be hello/],
    [[HELLO, HELLO], /hello must come once/],
    [[{ ...HELLO, protocol: 2 }], /protocol must be 1, not 2/],
    [[{ ...HELLO, advertise: 'nowhere' }], /advertise must be host:port/],
    [[{ ...HELLO, service: 'Bad_Name' }], /service must be the name of a service/],
    [[{ ...HELLO, instance: '' }], /instance must be/],
    [[{ ...HELLO, labels: { a: 7 } }], /labels must be/],
    [[{ ...HELLO, labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, ''])) }], /at most 64/],
    [[{ ...HELLO, ports: [{ port: 70_000 }] }], /ports\[0\]\.port must be from 1 to 65535/],
    [[{ ...HELLO, ports: [{ port: 7, protocol: 'smtp' }] }], /ports\[0\]\.protocol must be one of/],
    [[{ ...HELLO, ports: [{ port: 7, name: 'A B' }] }], /ports\[0\]\.name/],
    [[{ ...HELLO, have: { ...HELLO.have, services: { a: ['x'] } } }], /have\.services/],
    [[HELLO, { type: 'report', ready: true, health: 'Fine' }], /health must be/],
    [[HELLO, []], /the line must be a JSON object/],
  ] as const) {
    const { say, lines, session } = setUp();
    for (const message of messages) say(message);
    t.match(lines.at(-1), { type: 'error', reason, retry: false });
    t.ok(session.closed);
  }
  const { session, lines } = setUp();
  session.receive('{"type":');
  t.match(lines.at(-1), { type: 'error', reason: /one JSON object/ });
  t.end();
});

t.test('while the mesh registers, a sidecar that starts is not told that a name is not in it', t => {
  const { say, session, translator, updates } = setUp();
  translator.apply({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'Namespace', metadata: meta('shop') } });
  translator.settling = true;
  const subscriptions = ['web.shop', 'late.shop', 'example.com'];
  say({ ...HELLO, subscriptions });
  t.same(updates()[0]?.answers, { 'web.shop': 'web.shop', 'example.com': null }, 'a name of no namespace is none');
  say({ type: 'ack', update: 1 });
  translator.settling = false;
  session.flush();
  t.same(updates()[1]?.answers, { 'late.shop': null });
  const again = setUp();
  again.translator.apply({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'Namespace', metadata: meta('shop') } });
  again.translator.settling = true;
  again.say({ ...HELLO, have: { ...HELLO.have, configVersion: 'x' }, subscriptions });
  t.equal(again.updates()[0]?.answers['late.shop'], null, 'one that runs is told at once');
  t.end();
});
