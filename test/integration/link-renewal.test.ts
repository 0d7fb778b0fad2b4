/** Both ends of the link over real TLS, with certificates that hold seconds and begin 5 min before, as usual. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { createCertificateAuthority, createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { parseTrustBundle } from '../../certs/trust-bundle.ts';
import { systemClock } from '../../common/clock.ts';
import { BufferBudget } from '../../sidecar/buffer-budget.ts';
import type { Exchange, ExchangeContext } from '../../sidecar/exchange.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { Connections } from '../../sidecar/listener/connections.ts';
import { acceptPeer } from '../../sidecar/listener/link-connection.ts';
import { Fields, NO_FIELDS, ResponseHead } from '../../sidecar/protocol/head.ts';
import { Http1ResponseHeads } from '../../sidecar/protocol/http1/response-heads.ts';
import { BlockPool } from '../../sidecar/protocol/outbox.ts';
import { CircuitBreaker } from '../../sidecar/resilience/circuit-breaker.ts';
import { NEVER_AGAIN, Pipeline, STOP } from '../../sidecar/step.ts';
import { EndpointTransports } from '../../sidecar/upstream/endpoint-transports.ts';
import { startTerminator } from '../support/mtls-peers.ts';
import { accepted, createTestMesh } from '../support/peer-certificates.ts';
import { waitFor } from '../support/wait-for.ts';
import { requestHead } from '../unit/sidecar/exchange.fixture.ts';
import { FakeAttempt, limits } from '../unit/sidecar/upstream/pools.fixture.ts';

const NO_HELLO = Buffer.alloc(0);
const OK = { head: new ResponseHead(200, new Fields([])), volatile: NO_FIELDS, body: NO_HELLO, grpcStatus: '' };

/** The callee's own word on an exchange that had no good end. */
const serverContext = (errors: string[]): ExchangeContext => ({
  clock: systemClock,
  account: new BufferBudget(),
  pipeline: new Pipeline([], NEVER_AGAIN, [
    {
      begin: exchange => {
        if (exchange.head.method !== 'HANG') exchange.send(OK);
        return STOP;
      },
      end: ({ error }) => {
        if (error !== undefined) errors.push(`${error.code} ${error.detail}`);
      },
    },
  ]),
});

/** A caller and an inbound side, each with a store of its own. */
const startLink = async (lifetimeMs: number) => {
  const mesh = createTestMesh();
  let bundlePem = mesh.bundle.pem;
  const renew = (store: CertificateStore, account: string): void => {
    const id = accepted(createWorkloadId('mesh.local', 'default', account));
    const { privateKey, publicKey } = createKeyPair();
    const { chainPem } = issueCertificate(mesh.root, { id, publicKey, nowMs: Date.now(), lifetimeMs });
    const material = { certificatePem: chainPem, keyPem: formatPrivateKey(privateKey), trustBundlePem: bundlePem };
    const refusal = store.replace(material);
    if (refusal !== undefined) throw new Error(refusal.sentence);
  };
  const [web, caller] = [new CertificateStore({ clock: systemClock }), new CertificateStore({ clock: systemClock })];
  const renewBoth = (): void => {
    renew(web, 'web');
    renew(caller, 'caller');
  };
  renewBoth();

  const serverErrors: string[] = [];
  const accepts = new Connections();
  const context = serverContext(serverErrors);
  const blocks = new BlockPool();
  /** Certificate's end by connection, as the callee sees it. */
  const ends: number[] = [];
  const options = { exchange: context, refused: context, connections: accepts, blocks, clock: systemClock, store: web };
  const server = await startTerminator(web, 'direct', {
    onConnection: (socket, peer, alpn, validity) => {
      ends.push(validity.notAfterMs);
      acceptPeer(
        { ...options, hello: NO_HELLO, onProtocolError: () => {}, isHessian: () => false },
        socket,
        peer,
        alpn,
        validity,
      );
    },
  });
  const transports = new EndpointTransports({
    parts: {
      account: new BufferBudget(),
      blocks,
      clock: systemClock,
      random: () => 0.5,
      heads: new Http1ResponseHeads(),
    },
    store: caller,
    hello: NO_HELLO,
  });
  const endpoint = { address: `127.0.0.1:${server.port}`, identity: web.current?.id.uri ?? '' };
  const cluster = { policy: { connectTimeoutMs: 5_000 }, breaker: new CircuitBreaker(limits({ maxRequests: 1_000 })) };
  const send = (method = 'GET'): FakeAttempt => {
    const attempt = new FakeAttempt();
    const exchange = { endpoint, backend: { cluster, headFor: () => requestHead(method) } } as unknown as Exchange;
    const { transport, head } = transports.destination(exchange);
    transport.send(attempt, head, NO_FIELDS);
    return attempt;
  };
  return {
    web,
    caller,
    renewBoth,
    trust: (pem: string) => {
      bundlePem = pem;
    },
    send,
    serverErrors,
    ends,
    accepts,
    transports,
    mesh,
    async [Symbol.asyncDispose]() {
      transports.close();
      accepts.close();
      await server[Symbol.asyncDispose]();
    },
  };
};
const answered = async (attempt: FakeAttempt): Promise<string> => {
  await waitFor('the answer', () => attempt.said.length > 1 || attempt.said[0]?.startsWith('failed'));
  return attempt.said.join(', ');
};

t.test('with certificates of 4 s no request fails, and no connection outlives its certificates', async t => {
  await using link = await startLink(4_000);
  const { send, renewBoth, ends, accepts, transports, serverErrors } = link;
  const long = send('HANG');
  const attempts: FakeAttempt[] = [];
  let most = 0;
  const startMs = performance.now();
  // By the clock and not by the turn: the machine may be busy.
  for (let renewals = 0; performance.now() - startMs < 4_500; ) {
    if (performance.now() - startMs > (renewals + 1) * 1_250) {
      renewals++;
      renewBoth();
    }
    attempts.push(send());
    await pause(20);
    most = Math.max(most, transports.total, accepts.size);
  }
  const answers = await Promise.all(attempts.map(answered));
  t.same(new Set(answers), new Set(['forwarded, head 200 end']), 'every request');
  t.same(
    long.said,
    ['forwarded', 'reset UPSTREAM_CLOSED certificate_expired'],
    'but a stream that is longer than that',
  );
  t.same(serverErrors, ['DOWNSTREAM_RESET certificate_expired']);
  t.ok(ends.length >= 3, `${ends.length} connections in 4 s`);
  // Each takes requests for at least a quarter of what its certificates have left.
  t.ok(most <= 4, `at most ${most} at once on a side`);
  const inForce = ends.filter(endMs => endMs > Date.now()).length;
  await waitFor('the others to be gone', () => transports.total <= inForce && accepts.size <= inForce);
});

t.test('with a certificate that nobody renews the link ends, and the sidecar dials nobody', async t => {
  await using link = await startLink(2_000);
  const { send, accepts, transports } = link;
  t.equal(await answered(send()), 'forwarded, head 200 end');
  t.equal(await answered(send('HANG')), 'forwarded, reset UPSTREAM_CLOSED certificate_expired');
  t.ok((link.caller.current?.notAfterMs ?? 0) <= Date.now());
  await waitFor('the end of both ends', () => transports.total === 0 && accepts.size === 0);
  t.equal(await answered(send()), 'failed CONNECT_FAILED certificate_expired');
});

t.test('a root that comes or goes renews the links of both sides, and no request fails', async t => {
  for (const side of ['caller', 'web'] as const) {
    await using link = await startLink(60_000);
    const { send, ends, transports, accepts, mesh } = link;
    const next = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs }));
    const both = accepted(parseTrustBundle(mesh.bundle.pem + next.certificatePem, 'mesh.local')).pem;
    t.equal(await answered(send()), 'forwarded, head 200 end');
    link.renewBoth();
    t.equal(await answered(send()), 'forwarded, head 200 end');
    t.equal(ends.length, 1, 'a renewed certificate alone does not');
    t.equal(link[side].replace({ trustBundlePem: both }), undefined);
    await waitFor(`the old link to be gone (${side})`, () => transports.total === 0 && accepts.size === 0);
    t.equal(await answered(send()), 'forwarded, head 200 end');
    t.equal(ends.length, 2);
  }
});
