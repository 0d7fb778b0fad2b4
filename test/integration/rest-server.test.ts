import { connect } from 'node:tls';
import pino from 'pino';
import t, { type Test } from 'tap';
import { Agent, request } from 'undici';
import { NAMESPACE } from '../../api/namespace.ts';
import { createCertificateAuthority, createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { type ManualClock, manualClock } from '../../common/clock.ts';
import { seededRandom } from '../../common/random.ts';
import { RestServer } from '../../control-plane/rest/rest-server.ts';
import { SqliteStore } from '../../control-plane/store/sqlite-store.ts';
import type { Json } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TOKEN = 'test-token';
const NAMESPACES = '/api/v1/namespaces';

const openAuthority = () => {
  const authority = createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: Date.now() });
  const id = createWorkloadId('mesh.local', 'outrider-system', 'control-plane');
  if ('reason' in authority || 'reason' in id) throw new Error('the test has no CA');
  const issue = () => {
    const { privateKey, publicKey } = createKeyPair();
    const { chainPem } = issueCertificate(authority, { id, publicKey, nowMs: Date.now(), ipAddresses: ['127.0.0.1'] });
    return { cert: chainPem, key: formatPrivateKey(privateKey) };
  };
  return { ca: authority.certificatePem, issue };
};

interface Served {
  readonly server: RestServer;
  readonly store: SqliteStore;
  readonly clock: ManualClock;
  readonly authority: ReturnType<typeof openAuthority>;
  readonly url: string;
  readonly port: number;
  readonly log: readonly string[];
  readonly call: (path: string, body?: object) => ReturnType<typeof request>;
}

/** A REST server alone, on a clock that stands still. */
const withServer = (name: string, run: (t: Test, served: Served) => Promise<void>, isReady = () => true) =>
  t.test(name, async t => {
    const clock = manualClock(Date.now());
    const authority = openAuthority();
    const log: string[] = [];
    await using store = new SqliteStore({ path: ':memory:', clock });
    await using server = new RestServer({
      store,
      clock,
      random: seededRandom(1),
      log: pino({ level: 'error' }, { write: line => void log.push(line) }),
      credentials: authority.issue(),
      adminToken: TOKEN,
      issueToken: () => Promise.reject(new Error('the key is gone')),
      isReady,
      release: 'test',
    });
    const { port } = await server.listen('127.0.0.1', 0);
    const agent = new Agent({ connect: { ca: authority.ca } });
    const url = `https://127.0.0.1:${port}`;
    const call = (path: string, body?: object) =>
      request(url + path, {
        dispatcher: agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
    await run(t, { server, store, clock, authority, url, port, log, call });
    await agent.destroy();
  });

const nextLine = async (lines: AsyncIterator<Buffer>): Promise<Json> =>
  JSON.parse(String((await lines.next()).value)) as Json;

withServer('a bookmark every 30 s tells how far a quiet watch is', async (t, { call, clock, store }) => {
  const { body } = await call(`${NAMESPACES}?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=70`);
  const lines = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  clock.advance(30_000);
  t.match(await nextLine(lines), {
    type: 'BOOKMARK',
    object: { kind: 'Namespace', metadata: { resourceVersion: '0' } },
  });
  await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } });
  t.match(await nextLine(lines), { type: 'ADDED', object: { metadata: { name: 'a' } } });
  clock.advance(30_000);
  t.match(await nextLine(lines), { type: 'BOOKMARK', object: { metadata: { resourceVersion: '1' } } });
  clock.advance(10_000);
  t.ok((await lines.next()).done, 'and the watch ends when its time is over');
  t.equal(clock.pending, 0);
});

withServer('a client that does not read is cut off, and the others are served', async (t, { call, store }) => {
  const stuck = await call(`${NAMESPACES}?watch=1`);
  const quick = await call(`${NAMESPACES}?watch=1`);
  let seen = 0;
  const reading = (async () => {
    for await (const chunk of quick.body) {
      seen += String(chunk).split('\n').length - 1;
      if (seen === 40) break;
    }
  })();
  const annotations = { note: 'x'.repeat(1_000_000) };
  for (let i = 0; i < 40; i++) {
    await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `n${i}`, annotations } });
    // One process writes, serves and reads: without a pause the quick one would be slow too.
    await waitFor(`event ${i}`, () => seen > i);
  }
  await reading;
  t.equal(seen, 40);
  let bytes = 0;
  await t.rejects(async () => {
    for await (const chunk of stuck.body) bytes += (chunk as Buffer).length;
  }, 'its connection is gone');
  t.ok(bytes < 40_000_000, `${bytes} bytes had been sent`);
});

withServer('a renewed certificate serves new connections', async (t, { server, authority, port }) => {
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ca: authority.ca }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const before = await serial();
  t.equal(await serial(), before);
  server.renew(authority.issue());
  t.not(await serial(), before);
});

withServer('what fails inside is an answer and a log line, and tells no details', async (t, { call, log }) => {
  const answer = await call('/api/v1/namespaces/default/serviceaccounts/web/token', {});
  t.equal(answer.statusCode, 500);
  t.match(await answer.body.json(), { kind: 'Status', reason: 'InternalError', message: /its log says why/ });
  t.match(log.join(), /the key is gone/);
});

withServer('a store that cannot write is 503', async (t, { call, store }) => {
  await store[Symbol.asyncDispose]();
  const answer = await call(NAMESPACES, { metadata: { name: 'a' } });
  t.equal(answer.statusCode, 503);
  t.match(await answer.body.json(), { reason: 'ServiceUnavailable' });
});

withServer('a path that is no path is 400', async (t, { call }) => {
  const answer = await call('/api/v1/%zz');
  t.equal(answer.statusCode, 400);
  t.match(await answer.body.json(), { kind: 'Status', reason: 'BadRequest' });
});

withServer(
  'readiness is its own answer',
  async (t, { call }) => {
    t.equal((await call('/readyz')).statusCode, 503);
    t.equal((await call('/healthz')).statusCode, 200);
  },
  () => false,
);
