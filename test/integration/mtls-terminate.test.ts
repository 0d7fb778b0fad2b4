import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { systemClock } from '../../common/clock.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { type AcceptPath, asPeer, startTerminator, storeWith, tellSecret } from '../support/mtls-peers.ts';
import { createSvid, createTestMesh, LEGAL_VARIANTS, VIOLATIONS } from '../support/peer-certificates.ts';
import { waitFor } from '../support/wait-for.ts';

const mesh = createTestMesh();
const store = storeWith(mesh, createSvid(mesh.intermediate, 'web'));
const good = createSvid(mesh.root, 'caller', 'shop');

for (const path of ['direct', 'peeked'] satisfies AcceptPath[]) {
  t.test(`a ${path} connection with a good certificate is answered, and its peer is known`, async t => {
    await using server = await startTerminator(store, path);
    t.same(await tellSecret(server.port, asPeer(good)), { heard: 'secret', error: '' });
    t.equal(server.received(), 'secret');
    t.match(server.connections, [
      {
        alpn: 'outrider/1',
        peer: {
          id: good.id,
          trustDomain: 'mesh.local',
          namespace: 'shop',
          serviceAccount: 'caller',
          fingerprintSha256: /^[0-9a-f]{64}$/,
        },
      },
    ]);
    t.ok(server.connections[0]!.peer.notAfterMs > Date.now() + 86_000_000);
    t.same(server.refusals, []);
    t.equal(server.terminator.handshakes, 0);
  });

  t.test(`on the ${path} path no byte of a peer with a wrong certificate arrives`, async t => {
    await using server = await startTerminator(store, path);
    for (const { name, make, reason } of VIOLATIONS) {
      const before = server.refusals.length;
      const { heard } = await tellSecret(server.port, asPeer(make(mesh)));
      t.equal(heard, '', `a certificate ${name}`);
      await waitFor('a refusal', () => server.refusals.length > before);
      t.match(server.refusals.at(-1), /^[a-z_0-9]+$/, `${reason}: ${server.refusals.at(-1)}`);
    }
    t.same(server.connections, []);
    t.equal(server.received(), '');
    t.equal(server.refusals.length, VIOLATIONS.length);
    t.equal(server.terminator.handshakes, 0);
  });

  t.test(`on the ${path} path every unusual but legal certificate is accepted`, async t => {
    await using server = await startTerminator(store, path);
    for (const { name, make } of LEGAL_VARIANTS)
      t.match(await tellSecret(server.port, asPeer(make(mesh))), { heard: 'secret' }, name);
    t.equal(server.connections.length, LEGAL_VARIANTS.length);
  });

  t.test(
    `on the ${path} path a client without a certificate, of TLS 1.2, of another protocol, or without TLS is refused`,
    async t => {
      await using server = await startTerminator(store, path);
      const cases: [string, Parameters<typeof tellSecret>[1]][] = [
        ['peer_did_not_return_a_certificate', {}],
        ['unsupported_protocol', { ...asPeer(good), maxVersion: 'TLSv1.2' }],
        ['no_application_protocol', { ...asPeer(good), ALPNProtocols: ['http/1.1'] }],
        ['no_application_protocol', { cert: good.certificatePem, key: good.keyPem, ALPNProtocols: [] }],
      ];
      for (const [reason, options] of cases) {
        t.match(await tellSecret(server.port, options), { heard: '' });
        await waitFor('a refusal', () => server.refusals.length > 0);
        t.same(server.refusals.splice(0), [reason]);
      }
      const plain = connectTcp(server.port, '127.0.0.1');
      plain.on('error', () => {});
      plain.end('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
      plain.resume();
      await once(plain, 'close');
      await waitFor('a refusal', () => server.refusals.length > 0);
      t.match(server.refusals, [/http_request|wrong_version_number/]);
      t.same(server.connections, []);
      t.equal(server.received(), '');
      t.equal(server.terminator.handshakes, 0);
    },
  );
}

t.test('bytes that the peer sends with the end of its handshake are not lost', async t => {
  await using server = await startTerminator(store, 'peeked');
  const long = 'x'.repeat(200_000);
  const socket = connectTls({
    host: '127.0.0.1',
    port: server.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...asPeer(good),
  });
  socket.end(long); // queued until the handshake is done
  let heard = 0;
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.length;
    if (heard === long.length) socket.destroy();
  });
  await once(socket, 'close');
  t.equal(heard, long.length);
  t.equal(server.connections[0]?.alpn, 'h2');
});

t.test('a first flight that comes in pieces, one byte first, is accepted', async t => {
  await using server = await startTerminator(store, 'peeked');
  // A byte-wise relay in front of the terminator.
  const relay = createServer(client => {
    const upstream = connectTcp(server.port, '127.0.0.1').setNoDelay(true);
    let isFirst = true;
    client.on('data', (chunk: Buffer) => {
      if (!isFirst) return void upstream.write(chunk);
      isFirst = false;
      upstream.write(chunk.subarray(0, 1));
      setImmediate(() => upstream.write(chunk.subarray(1)));
    });
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.on('error', () => {});
    upstream.on('error', () => {});
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  t.match(await tellSecret(port, asPeer(good)), { heard: 'secret' });
  relay.close();
  await once(relay, 'close');
});

t.test('a peer that sends its root along is accepted', async t => {
  await using server = await startTerminator(store, 'direct');
  const svid = createSvid(mesh.intermediate, 'caller');
  const withRoot = { ...svid, certificatePem: svid.certificatePem + mesh.root.certificatePem };
  t.match(await tellSecret(server.port, asPeer(withRoot)), { heard: 'secret' });
  t.match(server.connections, [{ peer: { id: svid.id } }]);
});

t.test('a session is never resumed: each connection shows its certificate', async t => {
  await using server = await startTerminator(store, 'direct');
  const sessions: Buffer[] = [];
  const talk = async (session: Buffer | undefined): Promise<boolean> => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: server.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['outrider/1'],
      ...asPeer(good),
      session,
    });
    socket.on('session', (ticket: Buffer) => sessions.push(ticket));
    socket.write('secret');
    await once(socket, 'data');
    const isReused = socket.isSessionReused();
    socket.destroy();
    return isReused;
  };
  await talk(undefined);
  t.ok(sessions[0], 'the client has something to resume with');
  t.equal(await talk(sessions[0]), false);
  t.equal(server.connections[1]!.peer.id, good.id);
});

t.test('a peer that never finishes its handshake is cut off', async t => {
  await using server = await startTerminator(store, 'direct', { handshakeTimeoutMs: 50 });
  const socket = connectTcp(server.port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  await once(socket, 'connect');
  await waitFor('the handshakes', () => server.terminator.handshakes === 1);
  await once(socket, 'close');
  t.same(server.refusals, ['handshake_timeout']);
  t.equal(server.terminator.handshakes, 0);
});

t.test('handshakes beyond the limit are refused, and the room comes back when they end, however they end', async t => {
  await using server = await startTerminator(store, 'direct', { maxHandshakes: 2 });
  const idle = [connectTcp(server.port, '127.0.0.1'), connectTcp(server.port, '127.0.0.1')];
  for (const socket of idle) socket.on('error', () => {});
  await waitFor('the handshakes', () => server.terminator.handshakes === 2);
  t.match(await tellSecret(server.port, asPeer(good)), { heard: '' });
  t.same(server.refusals, ['too_many_handshakes']);
  idle[0]!.destroy();
  idle[1]!.resetAndDestroy();
  await waitFor('the handshakes', () => server.terminator.handshakes === 0);
  t.match(await tellSecret(server.port, asPeer(good)), { heard: 'secret' });
});

t.test('without an identity, and after its end, the terminator refuses at once', async t => {
  await using bare = await startTerminator(new CertificateStore({ clock: systemClock }), 'direct');
  t.match(await tellSecret(bare.port, asPeer(good)), { heard: '' });
  t.same(bare.refusals, ['no_identity']);
  await using server = await startTerminator(store, 'direct');
  server.terminator.close();
  t.match(await tellSecret(server.port, asPeer(good)), { heard: '' });
  t.same(server.refusals, ['closed']);
});

t.test('a socket that its owner destroys during the handshake gives its room back', async t => {
  await using server = await startTerminator(store, 'direct', { maxHandshakes: 1 });
  const socket = connectTcp(server.port, '127.0.0.1');
  const closed = once(socket.on('error', () => {}).resume(), 'close');
  await waitFor('the handshakes', () => server.terminator.handshakes === 1);
  for (const accepted of server.accepted) accepted.destroy();
  await waitFor('the handshakes', () => server.terminator.handshakes === 0);
  await closed;
  t.match(await tellSecret(server.port, asPeer(good)), { heard: 'secret' });
});

t.test('a socket that died before it was handed over costs nothing', async t => {
  await using server = await startTerminator(store, 'direct');
  const socket = connectTcp(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  server.terminator.accept(socket);
  await waitFor('the handshakes', () => server.terminator.handshakes === 0);
  t.same(server.connections, []);
});
