import { once } from 'node:events';
import { createServer } from 'node:https';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { requestCertificate } from '../../sidecar/discovery/request-certificate.ts';
import { requestTrustBundle } from '../../sidecar/discovery/request-trust-bundle.ts';
import { startBackHalf } from '../support/back-half.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';

/** A server with the control plane's identity that answers everything with this. */
const startAnswering = async (status: number, body: string) => {
  const mesh = createTestMesh();
  const { certificatePem, keyPem } = createSvid(mesh.root, 'control-plane', 'outrider-system');
  const server = createServer({ cert: certificatePem, key: keyPem }, (_request, response) => {
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: { trustBundlePem: mesh.root.certificatePem },
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
};

t.test('a control plane gives its trust bundle to whoever knows its root', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  const { url, trustBundlePem } = plane;
  t.equal(await requestTrustBundle(url, { trustBundlePem }), trustBundlePem);
  const others = createTestMesh().root.certificatePem;
  t.match(await requestTrustBundle(url, { trustBundlePem: others }), { reason: 'unreachable' });
});

t.test('closing does not wait for a client that is in its handshake', { timeout: 5_000 }, async t => {
  const plane = await startBackHalf({ dataDir: t.testdir() });
  const { port } = new URL(plane.url);
  const client = net.connect(Number(port), '127.0.0.1');
  client.on('error', () => {});
  // Half of a ClientHello.
  client.write(Buffer.from('160301020001', 'hex'));
  await requestTrustBundle(plane.url, { trustBundlePem: plane.trustBundlePem });
  const closed = once(client, 'close');
  await plane[Symbol.asyncDispose]();
  await closed;
  t.ok(client.destroyed);
});

t.test('an answer that is not what was asked for is refused with its status', async t => {
  for (const [status, body, certificate, bundle] of [
    [502, '<html>', /answers 502: $/, /answers 502\.$/],
    [403, '{"message":"not you"}', /answers 403: not you$/, /answers 403\.$/],
    [200, '{"certificate":1}', /is not a certificate\.$/, undefined],
    [200, '[]', /is not a certificate\.$/, undefined],
    [200, 'null', /is not a certificate\.$/, undefined],
  ] as const) {
    await using server = await startAnswering(status, body);
    t.match(await requestCertificate(server.url, server.tls, 'token', 'csr'), { sentence: certificate }, body);
    const answer = await requestTrustBundle(server.url, server.tls);
    if (bundle === undefined) t.equal(answer, body, 'unchecked here');
    else t.match(answer, { reason: 'refused', sentence: bundle });
  }
});
