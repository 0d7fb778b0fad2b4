/** Hessian calls behind a pair of sidecars: what they carry, how they count, and what the mesh itself answers. The app and the callers use hessian.js. */
import t from 'tap';
import { request } from 'undici';
import { callHessian, HESSIAN_TYPE, post, startHessianApp } from '../support/hessian-app.ts';
import { hessianCall, WIRES } from '../support/hessian-bytes.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';

const app = await startHessianApp();
const [nobody = 0] = await freePorts(1);
const pair = await startSidecarPair({
  services: [
    { name: 'accounts', port: 8080, protocol: 'hessian', appPort: app.port },
    { name: 'web', port: 80, protocol: 'http', appPort: app.port },
    { name: 'dead', port: 8080, protocol: 'hessian', appPort: nobody },
  ],
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const url = `http://127.0.0.1:${pair.upstream('accounts')}/remoting/accounts`;
const MESH_FAULT = /\[flag=[A-Z]+ detail=[a-z0-9_]+ request_id=[0-9a-f-]{36}\]$/;

t.test('calls in every version are answered, and counted by method at both sidecars', async t => {
  for (const wire of WIRES) {
    t.match(await callHessian(url, wire, 'add', 2, 40), { status: 200, reply: { kind: 'reply', value: 42 } }, wire);
    t.match(await callHessian(url, wire, 'echo', 'héllo'), { reply: { value: 'héllo' } }, wire);
    t.match(await callHessian(url, wire, 'fail'), { status: 200, reply: { kind: 'fault', code: 'ServiceException' } });
    t.match(await callHessian(url, wire, `no_${wire[0]}`), { status: 200, reply: { code: 'NoSuchMethodException' } });
  }
  for (const sidecar of [pair.a, pair.b]) {
    const samples = await sidecar.samples();
    const count = (labels: Readonly<Record<string, string>>): number =>
      total(samples, 'outrider_requests_total', { request_protocol: 'hessian', ...labels });
    t.equal(count({ method: 'add', response_code: '200', response_flags: '-' }), 3);
    t.equal(count({ method: 'fail', response_code: '500', response_flags: '-' }), 3, 'a fault is a failure');
    t.equal(count({ method: 'other', response_code: '404', response_flags: '-' }), 3, 'an unknown name is no label');
    t.equal(count({}), 12);
  }
});

t.test('large and chunked payloads pass unchanged, cut anywhere', async t => {
  const text = 'abcdefghij'.repeat(100_000);
  for (const wire of WIRES) {
    t.equal((await callHessian(url, wire, 'echo', text)).reply.kind, 'reply');
    t.match(
      await callHessian(url, wire, 'big', 1_000_000),
      { reply: { value: 'x'.repeat(1_000_000) } },
      'chunked reply',
    );
    const bytes = hessianCall(wire, 'echo', ['pieces']);
    const pieces = Array.from(bytes, byte => Buffer.from([byte]));
    t.match(await post(url, pieces), { reply: { value: 'pieces' } }, 'a chunked call in pieces of one byte');
  }
  t.equal(app.seen.filter(({ args }) => args[0] === text).length, 3, 'every character arrived');
});

t.test('a call with Expect: 100-continue is told to go on', async t => {
  const body = hessianCall('1/2', 'add', [1, 2]);
  await using connection = new RawConnection(pair.upstream('accounts'));
  connection.write(
    `POST /a HTTP/1.1\r\nHost: accounts\r\nContent-Type: ${HESSIAN_TYPE}\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await connection.until(received => received.startsWith('HTTP/1.1 100 '));
  connection.write(body.latin1Slice(0, body.length));
  await connection.until(received => received.includes('H\x02\0R\x93'));
  t.match(connection.received, /\r\n\r\n.*HTTP\/1\.1 200 OK\r\n/s);
});

t.test('what the mesh answers is a fault that the caller reads, with a status of its own in the metrics', async t => {
  for (const wire of WIRES) {
    const { status, headers, reply } = await callHessian(
      `http://127.0.0.1:${pair.upstream('dead')}/`,
      wire,
      'add',
      1,
      2,
    );
    t.equal(status, 200);
    t.match(headers, {
      'x-outrider-flag': 'UF',
      'x-outrider-detail': 'connection_refused',
      'content-type': HESSIAN_TYPE,
    });
    t.match(reply, {
      kind: 'fault',
      code: 'ServiceException',
      message: /^No connection to the destination could be made\. /,
    });
    t.match(reply, { message: MESH_FAULT });
  }
  const outbound = `http://127.0.0.1:${pair.outbound}/`;
  const unknown = await post(outbound, hessianCall('2/2', 'add'), { 'content-type': HESSIAN_TYPE, host: 'nobody' });
  t.match(unknown.reply, { kind: 'fault', code: 'NoSuchObjectException', message: MESH_FAULT });
  const samples = await pair.a.samples();
  t.equal(total(samples, 'outrider_requests_total', { destination_service: 'dead', response_code: '503' }), 3);
});

t.test('a port that is declared as HTTP carries Hessian too, told by its content type', async t => {
  const headers = { 'content-type': 'application/x-hessian; charset=x', host: 'web' };
  const { reply } = await post(`http://127.0.0.1:${pair.outbound}/api`, hessianCall('1/1', 'add', [1, 1]), headers);
  t.match(reply, { value: 2 });
  const labels = { destination_service: 'web', request_protocol: 'hessian', method: 'add' };
  t.equal(total(await pair.a.samples(), 'outrider_requests_total', labels), 1);
  t.equal(total(await pair.b.samples(), 'outrider_requests_total', labels), 1);
});

t.test(
  'on a port that is declared as Hessian calls need no content type, and other requests pass as they are',
  async t => {
    t.match(await post(url, hessianCall('2/2', 'add', [20, 1]), {}), { reply: { value: 21 } });
    for (const body of ['{"json":true}', 'count=1', 'c', 'H\x02']) {
      const { statusCode, body: text } = await request(url, { method: 'POST', body });
      t.equal(statusCode, 400);
      t.equal(await text.text(), `no call: ${body.length} bytes`, 'said by the app');
    }
    const { statusCode } = await request(url);
    t.equal(statusCode, 400, 'a GET');
  },
);

t.test('what says that it is Hessian and is none is refused with a fault that names the rule', async t => {
  const before = app.seen.length;
  const long = Buffer.from(`c\x01\0${`H\0\x01xS\x10\0${'y'.repeat(4_096)}`.repeat(3)}`, 'latin1');
  const bad: Readonly<Record<string, Buffer>> = {
    hessian_magic: Buffer.from('GET / HTTP/1.1'),
    hessian_name: Buffer.from('c\x01\0m\xff\xff', 'latin1'),
    hessian_header: Buffer.from('c\x01\0H\0\x01x?', 'latin1'),
    hessian_depth: Buffer.from(`c\x01\0H\0\x01x${'V'.repeat(7_000)}`),
    hessian_truncated: Buffer.from('H\x02\0C\x05ab', 'latin1'),
    hessian_too_long: long,
  };
  for (const [detail, body] of Object.entries(bad)) {
    const { status, headers, reply } = await post(url, body);
    t.equal(status, 200, detail);
    t.match(headers, { 'x-outrider-flag': 'DPE', 'x-outrider-detail': detail });
    t.match(reply, {
      kind: 'fault',
      code: 'ProtocolException',
      message: /^The request breaks the rules of its protocol\. /,
    });
  }
  t.equal(app.seen.length, before, 'none of it reached the app');
  t.match(await callHessian(url, '2/2', 'add', 1, 2), { reply: { value: 3 } }, 'and the next call is answered');
});

t.test('a call whose chunks break the rules of HTTP is answered with 400, and counted once', async t => {
  const flagged = async (): Promise<number> =>
    total(await pair.a.samples(), 'outrider_requests_total', { response_flags: 'DPE', response_code: '400' });
  const head = `POST / HTTP/1.1\r\nHost: accounts\r\nContent-Type: ${HESSIAN_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const call = hessianCall('1/2', 'add', [1, 2]).latin1Slice(0, 10);
  for (const begun of ['c', call]) {
    const before = await flagged();
    await using connection = new RawConnection(pair.upstream('accounts'));
    connection.write(`${head}${begun.length.toString(16)}\r\n${begun}\r\n?\r\n`);
    await connection.until(() => connection.closed);
    t.match(connection.received, /^HTTP\/1\.1 400 .*bad_chunk/s, begun);
    await waitFor('the count', async () => (await flagged()) > before);
    t.equal((await flagged()) - before, 1);
  }
});

t.test('bombs, and callers that stop in the middle of an envelope, cost no memory', async t => {
  const samples = [
    `c\x01\0H\0\x01x${'V'.repeat(60_000)}`,
    `c\x01\0H\0\x01xS\xff\xff${'y'.repeat(60_000)}`,
    `c\x01\0m\xff\xff${'m'.repeat(60_000)}`,
    `H\x02\0CS\xff\xff${'m'.repeat(60_000)}`,
    'x'.repeat(60_000),
  ].map(text => Buffer.from(text, 'latin1'));
  const round = async (): Promise<void> => {
    for (const body of samples)
      await Promise.all(Array.from({ length: 20 }, () => post(url, body).catch(() => undefined)));
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${HESSIAN_TYPE}\r\nContent-Length: 90000\r\n\r\n`;
    const stopped = Array.from({ length: 50 }, () => new RawConnection(pair.upstream('accounts')));
    for (const connection of stopped) connection.write(`${head}c\x01\0H\0\x01xS\x10\0${'y'.repeat(4_000)}`);
    await Promise.all(stopped.map(connection => connection[Symbol.asyncDispose]()));
  };
  await round();
  const before = pair.a.process.residentBytes();
  for (let i = 0; i < 3; i++) await round();
  const grown = pair.a.process.residentBytes() - before;
  t.ok(grown < 48 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`);
  await waitFor(
    'what was buffered to be released',
    async () => total(await pair.a.samples(), 'outrider_buffered_bytes') === 0,
  );
  t.match(await callHessian(url, '2/2', 'add', 1, 2), { reply: { value: 3 } }, 'and the next call is answered');
});
