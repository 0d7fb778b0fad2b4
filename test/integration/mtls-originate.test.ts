import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { manualClock, systemClock } from '../../common/clock.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { dialMtls } from '../../sidecar/identity/originate-mtls.ts';
import { asPeer, dial, startTerminator, startTlsServer, storeWith } from '../support/mtls-peers.ts';
import { createSvid, createTestMesh, LEGAL_VARIANTS, VIOLATIONS } from '../support/peer-certificates.ts';

const mesh = createTestMesh();
const store = storeWith(mesh, createSvid(mesh.root, 'caller'));
const web = createSvid(mesh.intermediate, 'web');

t.test('two of our ends talk: each knows the other by its id', async t => {
  await using server = await startTerminator(storeWith(mesh, web), 'peeked');
  const dialled = await dial({ port: server.port, expectedId: web.id, store });
  if ('error' in dialled) throw new Error(dialled.error.detail);
  dialled.socket.on('error', () => {});
  t.match(dialled.peer, { id: web.id, namespace: 'default', serviceAccount: 'web' });
  t.equal(dialled.socket.alpnProtocol, 'outrider/1');
  t.equal(dialled.socket.getProtocol(), 'TLSv1.3');
  dialled.socket.write('hello');
  const [answer] = (await once(dialled.socket, 'data')) as [Buffer];
  t.equal(answer.toString(), 'hello');
  t.match(server.connections, [{ peer: { id: 'spiffe://mesh.local/ns/default/sa/caller' } }]);
  dialled.socket.destroy();
});

t.test('a server whose certificate breaks a rule is refused, and hears nothing', async t => {
  for (const { name, make, reason } of VIOLATIONS) {
    await using server = await startTlsServer({ ...asPeer(make(mesh)), ca: mesh.bundle.pem });
    const dialled = await dial({ port: server.port, expectedId: 'spiffe://mesh.local/ns/default/sa/mallory', store });
    t.ok('error' in dialled, `a certificate ${name}`);
    if (!('error' in dialled)) return dialled.socket.destroy();
    t.equal(dialled.error.retry, 'not-sent');
    // OpenSSL refuses some before we look.
    const expected = dialled.error.code === 'PEER_IDENTITY' ? reason : 'tls_certificate';
    t.equal(dialled.error.detail, expected, `${dialled.error.code} ${dialled.error.detail}: ${dialled.error.cause}`);
    t.equal(server.received(), '');
  }
});

t.test('a server with an unusual but legal certificate is accepted', async t => {
  for (const { name, make } of LEGAL_VARIANTS) {
    await using server = await startTlsServer({ ...asPeer(make(mesh)), ca: mesh.bundle.pem });
    const wrong = await dial({ port: server.port, expectedId: 'spiffe://mesh.local/ns/default/sa/nobody', store });
    const found = 'error' in wrong ? /found (\S+)$/.exec(wrong.error.cause)?.[1] : undefined;
    const dialled = await dial({ port: server.port, expectedId: found ?? '', store });
    t.match(dialled, { peer: { id: found } }, name);
    if ('socket' in dialled) dialled.socket.destroy();
  }
});

t.test('a good certificate of somebody else is refused as PEER_IDENTITY, and hears nothing', async t => {
  await using server = await startTlsServer({ ...asPeer(web), ca: mesh.bundle.pem });
  const dialled = await dial({ port: server.port, expectedId: 'spiffe://mesh.local/ns/default/sa/payments', store });
  t.match(dialled, {
    error: {
      code: 'PEER_IDENTITY',
      detail: 'unexpected_id',
      retry: 'not-sent',
      cause: `expected spiffe://mesh.local/ns/default/sa/payments, found ${web.id}`,
    },
  });
  t.equal(server.received(), '');
});

t.test('a server of TLS 1.2, of another protocol, of none, or without TLS is a failed connection', async t => {
  const expectedId = web.id;
  {
    await using old = await startTlsServer({ ...asPeer(web), maxVersion: 'TLSv1.2' });
    t.match(await dial({ port: old.port, expectedId, store }), {
      error: { code: 'CONNECT_FAILED', detail: 'tls_handshake', cause: /PROTOCOL_VERSION/ },
    });
  }
  {
    await using other = await startTlsServer({ ...asPeer(web), ALPNProtocols: ['http/1.1'] });
    t.match(await dial({ port: other.port, expectedId, store }), {
      error: { code: 'CONNECT_FAILED', detail: 'tls_handshake', cause: /NO_APPLICATION_PROTOCOL/ },
    });
  }
  {
    await using deaf = await startTlsServer({ ...asPeer(web), ALPNProtocols: [] });
    t.match(await dial({ port: deaf.port, expectedId, store }), {
      error: { code: 'CONNECT_FAILED', detail: 'no_application_protocol' },
    });
  }
  const plain = createServer(socket =>
    socket
      .on('error', () => {})
      .resume()
      .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  );
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.match(await dial({ port: (plain.address() as AddressInfo).port, expectedId, store }), {
    error: { code: 'CONNECT_FAILED', detail: 'tls_handshake', retry: 'not-sent' },
  });
  plain.close();
  await once(plain, 'close');
});

t.test('a port without a listener is connection_refused, a name that is none is name_not_resolved', async t => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  t.match(await dial({ port, expectedId: web.id, store }), {
    error: { code: 'CONNECT_FAILED', detail: 'connection_refused', cause: 'ECONNREFUSED' },
  });
  t.match(await dial({ host: 'a..b', port, expectedId: web.id, store }), {
    error: { code: 'CONNECT_FAILED', detail: 'name_not_resolved' },
  });
});

t.test('one timer covers TCP and TLS: a server that never answers is tls_timeout', async t => {
  const hello = Promise.withResolvers<Buffer>();
  const silent = createServer(socket => socket.on('error', () => {}).on('data', hello.resolve)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const clock = manualClock(Date.now());
  const dialled = dial({
    port: (silent.address() as AddressInfo).port,
    expectedId: web.id,
    store,
    clock,
    timeoutMs: 1_000,
  });
  await hello.promise;
  clock.advance(999);
  t.equal(clock.pending, 1);
  clock.advance(1);
  t.match(await dialled, { error: { code: 'CONNECT_FAILED', detail: 'tls_timeout', retry: 'not-sent' } });
  t.equal(clock.pending, 0);
  silent.close();
  await once(silent, 'close');
});

t.test('a connection that TCP never completes is connect_timeout', async t => {
  const clock = manualClock(Date.now());
  const dialled = dial({ port: 1, expectedId: web.id, store, clock, timeoutMs: 1_000 });
  clock.advance(1_000); // before the first turn of the event loop: nothing can have answered
  t.match(await dialled, { error: { code: 'CONNECT_FAILED', detail: 'connect_timeout' } });
});

t.test('a dial that was cancelled closes its socket and never calls back', async t => {
  const [opened, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const silent = createServer(socket => {
    socket
      .on('error', () => {})
      .on('close', () => closed.resolve())
      .resume();
    opened.resolve();
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const clock = manualClock(Date.now());
  const { port } = silent.address() as AddressInfo;
  const options = { host: '127.0.0.1', port, expectedId: web.id, store, clock, alpn: ['outrider/1'], timeoutMs: 1_000 };
  const pending = dialMtls(options, () => t.fail('it was cancelled'));
  await opened.promise;
  pending.cancel();
  pending.cancel();
  t.equal(clock.pending, 0);
  await closed.promise;
  silent.close();
  await once(silent, 'close');
});

t.test('without an identity a dial fails, later and not at once, and can be cancelled', async t => {
  const empty = new CertificateStore({ clock: systemClock });
  t.match(await dial({ port: 1, expectedId: web.id, store: empty }), {
    error: { code: 'CONNECT_FAILED', detail: 'no_identity' },
  });
  const options = {
    host: '127.0.0.1',
    port: 1,
    expectedId: web.id,
    store: empty,
    clock: systemClock,
    alpn: ['outrider/1'],
    timeoutMs: 1_000,
  };
  dialMtls(options, () => t.fail('it was cancelled')).cancel();
  await new Promise(resolve => setImmediate(resolve));
});

t.test('a cancel after the callback leaves the connection alone', async t => {
  await using server = await startTerminator(storeWith(mesh, web), 'direct');
  const { promise, resolve } = Promise.withResolvers<TLSSocket>();
  const options = {
    host: '127.0.0.1',
    port: server.port,
    expectedId: web.id,
    store,
    clock: systemClock,
    alpn: ['outrider/1'],
    timeoutMs: 5_000,
  };
  const pending = dialMtls(options, (_error, socket) => resolve(socket!));
  const socket = await promise;
  pending.cancel();
  t.equal(socket.destroyed, false);
  socket.on('error', () => {});
  socket.destroy();
});

t.test('a server that refuses our certificate ends the connection before its first byte', async t => {
  // It trusts other roots than ours, and shows a certificate that we trust.
  await using server = await startTlsServer({
    ...asPeer(web),
    ca: createTestMesh().bundle.pem,
    rejectUnauthorized: true,
  });
  const dialled = await dial({ port: server.port, expectedId: web.id, store });
  if ('error' in dialled) throw new Error(dialled.error.detail); // TLS 1.3: the client's handshake is over before the server looks
  dialled.socket.on('error', () => {}).resume();
  dialled.socket.on('data', () => t.fail('nothing is answered'));
  dialled.socket.write('secret');
  await once(dialled.socket, 'close');
  t.equal(server.received(), '');
});
