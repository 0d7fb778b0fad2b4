/** Thrift through a real pair of sidecars, judged by what the app saw. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import type { RouteView } from '../../api/snapshot.ts';
import { startSidecarPair, WORKERS } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { startThriftApp, ThriftClient } from '../support/thrift-app.ts';
import {
  EXCEPTION,
  ONEWAY,
  type Protocol,
  REPLY,
  readThrift,
  type Transport,
  thriftCall,
  type Wire,
} from '../support/thrift-bytes.ts';
import { waitFor } from '../support/wait-for.ts';

const TRANSPORTS: readonly Transport[] = ['framed', 'unframed', 'header'];
const PROTOCOLS: readonly Protocol[] = ['binary', 'compact'];
const WIRES: readonly Wire[] = TRANSPORTS.flatMap(transport => PROTOCOLS.map(protocol => ({ transport, protocol })));
const nameOf = ({ transport, protocol }: Wire): string => `${transport}-${protocol}`;
const TEXTS = ['a', 'b', 'c', 'd', 'e'];
const FRAMED: Wire = { transport: 'framed', protocol: 'binary' };

/** What gets no answer has a time limit. */
const routesTo = (name: string, port: number): readonly RouteView[] =>
  ['never', ''].map(method => ({
    name: method,
    matches: method === '' ? [] : [{ path: { type: 'RegularExpression', value: `/[^/]+/${method}` } }],
    filters: [],
    backends: [{ service: `${name}.default`, port, weight: 1, filters: [] }],
    requestTimeoutMs: method === '' ? null : 400,
    attemptTimeoutMs: 0,
    retry: null,
  }));

const apps = new Map(await Promise.all(WIRES.map(async wire => [nameOf(wire), await startThriftApp(wire)] as const)));
const [nobody = 0] = await freePorts(1);
const pair = await startSidecarPair({
  services: [
    ...[...apps].map(([name, { port }]) => ({ name, port: 9090, protocol: 'thrift' as const, appPort: port })),
    { name: 'nobody', port: 9090, protocol: 'thrift', appPort: nobody },
  ],
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({ ...port, routes: routesTo(service.name, port.port) })),
    })),
  }),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  for (const app of apps.values()) await app[Symbol.asyncDispose]();
});

const appOf = (wire: Wire) => apps.get(nameOf(wire))!;

for (const wire of WIRES) {
  const name = nameOf(wire);
  t.test(`${name}: calls, exceptions and oneway calls come and go as they are`, async t => {
    using client = new ThriftClient(pair.upstream(name), wire);
    const app = appOf(wire);
    const reply = await client.call('Calc:echo', 'hello', 77);
    t.match(reply, { type: REPLY, name: 'Calc:echo', text: 'hello', field: 0, sequence: 77 });
    t.match(app.seen.at(-1), { name: 'Calc:echo', text: 'hello' });
    t.match(await client.call('echo', 'large id', 2_000_000_000), { text: 'large id', sequence: 2_000_000_000 });
    t.match(await client.call('declared', 'no'), { type: REPLY, field: 1, text: 'no' });
    t.match(await client.call('boom', ''), { type: EXCEPTION, code: 6 });
    t.match(await client.call('nothing', ''), { type: EXCEPTION, code: 1 });
    client.oneway('note', 'one');
    t.match(await client.call('echo', 'after'), { text: 'after' });
    t.match(app.seen.slice(-2), [{ type: ONEWAY, text: 'one' }, { text: 'after' }], 'oneway calls keep their place');
    t.match(await client.call('silent', 'zero', 5), { sequence: 5 }, 'a server that answers with 0 is understood');
    const big = await client.call('big', '3000000', 300);
    t.equal(big?.text.length, 3_000_000);
    t.match(await client.call('echo', 'y'.repeat(1_000_000)), { text: 'y'.repeat(1_000_000) });
    t.ok(app.connections <= WORKERS, 'one connection to the app did it all, or one for each worker');
  });
}

t.test('bytes that come one by one say the same', async t => {
  for (const wire of WIRES) {
    using client = new ThriftClient(pair.upstream(nameOf(wire)), wire);
    const reply = client.reply();
    for (const byte of thriftCall(wire, 'echo', 9, 'slow')) {
      client.socket.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    t.match(await reply, { text: 'slow', sequence: 9 }, nameOf(wire));
  }
});

t.test('calls that a client sends at once are answered in order, one at a time', async t => {
  const app = appOf(FRAMED);
  app.mostOpen = 0;
  using client = new ThriftClient(pair.upstream(nameOf(FRAMED)), FRAMED);
  const replies = await Promise.all(TEXTS.map(text => client.call(text === 'a' ? 'later' : 'echo', text)));
  t.same(
    replies.map(reply => reply?.text),
    TEXTS,
  );
  t.equal(app.mostOpen, 1);
});

t.test('the mesh answers in the words of Thrift', async t => {
  for (const wire of [FRAMED]) {
    using client = new ThriftClient(pair.upstream('nobody'), wire);
    const refused = await client.call('echo', '', 41);
    t.match(refused, { type: EXCEPTION, name: 'echo', sequence: 41, code: 6 });
    t.match(refused?.text, /flag=UF detail=connection_refused request_id=[0-9a-f-]{36}/);
    t.match(await client.call('echo', '', 42), { sequence: 42 }, 'the connection lives on');
  }
  for (const wire of WIRES) {
    using client = new ThriftClient(pair.upstream(nameOf(wire)), wire);
    t.match((await client.call('never', '', 7))?.text, /flag=UT detail=request_timeout/, `${nameOf(wire)}: deadline`);
    const gone = await client.call('vanish', '', 8);
    t.match(gone, { type: EXCEPTION, sequence: 8 }, `${nameOf(wire)}: the app goes away`);
    t.match(gone?.text, /flag=UC/);
    t.match((await client.call('wrong', ''))?.text, /flag=UPE detail=thrift_sequence/);
    t.match(await client.call('echo', 'on'), { text: 'on' }, 'the connection lives on');
  }
});

t.test('what breaks the rules is refused in the words of Thrift, and the connection ends', async t => {
  const port = pair.upstream(nameOf(FRAMED));
  const good = thriftCall(FRAMED, 'echo', 1, 'x');
  const negativeLength = Buffer.from(good);
  negativeLength.writeInt32BE(-1, 0);
  const otherVersion = Buffer.from(good);
  otherVersion[4] = 0x70;
  for (const [bad, detail] of [
    [negativeLength, 'thrift_length'],
    [otherVersion, 'thrift_version'],
  ] as const) {
    using client = new ThriftClient(port, FRAMED);
    await client.call('echo', 'first');
    const reply = client.reply();
    client.socket.write(bad);
    const refused = await reply;
    t.match(refused, { type: EXCEPTION, code: 7 });
    t.match(refused?.text, new RegExp(`detail=${detail}`));
    await once(client.socket, 'close');
  }
  using client = new ThriftClient(pair.upstream('unframed-binary'), { transport: 'unframed', protocol: 'binary' });
  const wire: Wire = { transport: 'unframed', protocol: 'binary' };
  const deep = Buffer.concat([
    thriftCall(wire, 'echo', 3, '').subarray(0, 16),
    ...Array.from({ length: 100 }, () => Buffer.from([12, 0, 1])),
  ]);
  const reply = client.reply();
  client.socket.write(deep);
  t.match(await reply, { type: EXCEPTION, name: 'echo', sequence: 3 });
});

t.test('what is no call that can be read is carried as TCP', async t => {
  const before = total(await pair.a.samples(), 'outrider_tcp_connections_closed_total');
  const accepted = appOf(FRAMED).connections;
  const socket = connect(pair.upstream(nameOf(FRAMED)), '127.0.0.1');
  // SASL begins so: START, and a mechanism's length.
  socket.write(Buffer.from([1, 0, 0, 0, 5, 80, 76, 65, 73, 78]));
  socket.on('error', () => {});
  await waitFor('the connection to arrive', async () => appOf(FRAMED).connections > accepted);
  socket.destroy();
  await waitFor(
    'the connection to be counted',
    async () => total(await pair.a.samples(), 'outrider_tcp_connections_closed_total') > before,
  );
  t.pass();
});

t.test('a caller that goes away leaves nothing behind', async t => {
  const client = new ThriftClient(pair.upstream(nameOf(FRAMED)), FRAMED);
  const seen = appOf(FRAMED).seen.length;
  client.socket.write(thriftCall(FRAMED, 'never', 1, ''));
  await waitFor('the call to arrive', async () => appOf(FRAMED).seen.length > seen);
  client[Symbol.dispose]();
  await waitFor('the call to be counted', async () => {
    const samples = await pair.a.samples();
    return total(samples, 'outrider_requests_total', { method: 'other', response_flags: 'DC' }) === 1;
  });
  t.pass();
});

t.test('each method is counted by both sides, with its outcome', async t => {
  const wire: Wire = { transport: 'header', protocol: 'compact', headers: { Tenant: 'blue' } };
  const labels = { destination_service: nameOf(wire), request_protocol: 'thrift' };
  const count = async (more: Readonly<Record<string, string>>): Promise<readonly number[]> => {
    const both = await Promise.all([pair.a.samples(), pair.b.samples()]);
    return both.map(samples => total(samples, 'outrider_requests_total', { ...labels, ...more }));
  };
  const [before = 0] = await count({ method: 'Calc:echo', response_code: '200' });
  using client = new ThriftClient(pair.upstream(nameOf(wire)), wire);
  for (let i = 0; i < 25; i++) await client.call('Calc:echo', 'x');
  t.same(await count({ method: 'Calc:echo', response_code: '200' }), [before + 25, before + 25]);
  t.same(await count({ method: 'declared', response_code: '422' }), [1, 1], 'declared exceptions');
  t.same(await count({ method: 'boom', response_code: '500' }), [1, 1], 'TApplicationExceptions');
  t.same(await count({ method: 'other', response_code: '404' }), [1, 1], 'unknown methods have no name');
  t.same(await count({ method: 'nothing' }), [0, 0]);
});

t.test('replies are whole for a reader of the bytes', async t => {
  const socket = connect(pair.upstream('header-binary'), '127.0.0.1');
  const wire: Wire = { transport: 'header', protocol: 'binary' };
  socket.write(thriftCall(wire, 'echo', 300, 'z'));
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  t.equal(bytes.readInt32BE(8), 300, 'the sequence number of the THeader is restored too');
  t.equal(readThrift(wire, bytes)?.message.sequence, 300);
  socket.destroy();
});
