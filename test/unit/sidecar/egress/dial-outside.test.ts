import type dns from 'node:dns';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { systemClock } from '../../../../common/clock.ts';
import { dialOutside, type IsOwn } from '../../../../sidecar/egress/dial-outside.ts';
import { ownListeners } from '../../../../sidecar/egress/own-listeners.ts';
import type { ProxyError } from '../../../../sidecar/errors/proxy-error.ts';

/** A resolver that knows what it is told. */
const resolver = (answer: readonly string[] | string): typeof dns.lookup =>
  ((_name: string, _options: object, callback: (error: Error | null, addresses: dns.LookupAddress[]) => void) =>
    typeof answer === 'string'
      ? callback(Object.assign(new Error(answer), { code: answer }), [])
      : callback(
          null,
          answer.map(address => ({ address, family: net.isIP(address) })),
        )) as typeof dns.lookup;

const dial = (host: string, port: number, isOwn: IsOwn, resolve?: typeof dns.lookup) =>
  new Promise<string>(done => {
    dialOutside(
      host,
      port,
      isOwn,
      () => 1_000,
      systemClock,
      resolve,
    )((error: ProxyError | undefined, socket) => {
      socket?.destroy();
      done(error === undefined ? 'connected' : `${error.code} ${error.detail} ${error.retry}`);
    });
  });

t.test('a host outside is reached by name and by address, but never our own listener', async t => {
  const server = net.createServer(socket => socket.destroy()).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const nobody: IsOwn = () => false;
  const own: IsOwn = (_address, ownPort) => ownPort === port;
  t.equal(await dial('127.0.0.1', port, nobody), 'connected');
  t.equal(await dial('shop.example', port, nobody, resolver(['127.0.0.1'])), 'connected');
  t.equal(await dial('127.0.0.1', port, own), 'NO_ROUTE loop never');
  t.equal(await dial('shop.example', port, own, resolver(['127.0.0.1'])), 'NO_ROUTE loop never');
  t.equal(await dial('typo', port, nobody, resolver('ENOTFOUND')), 'CONNECT_FAILED not_in_mesh_nor_dns never');
  t.equal(await dial('empty', port, nobody, resolver([])), 'CONNECT_FAILED not_in_mesh_nor_dns never');
  t.equal(await dial('later', port, nobody, resolver('EAI_AGAIN')), 'CONNECT_FAILED name_not_resolved not-sent');
});

t.test('our listeners are known by every address of this machine', t => {
  const isOwn = ownListeners(() => [{ host: '127.0.0.1', port: 15001 }]);
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1'])
    t.ok(isOwn(address, 15001), address);
  t.notOk(isOwn('127.0.0.1', 15002), 'another port');
  t.notOk(isOwn('192.0.2.1', 15001), 'another machine');
  t.end();
});
