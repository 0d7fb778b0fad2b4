import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { createLogger } from '../../../../common/logger.ts';
import { Interception } from '../../../../sidecar/interception/interception.ts';
import { OwnDials } from '../../../../sidecar/interception/own-dials.ts';

/** Beginnings of what could become a peer's first message. */
const BEGINNINGS = { nothing: '', 'a piece of a ClientHello': '\x16\x03\x01\x02' };

for (const [what, beginning] of Object.entries(BEGINNINGS))
  t.test(`only peers come in, and one that says ${what} and no more is refused after 5 s`, async t => {
    const clock = manualClock();
    const refused: string[] = [];
    const never = () => t.fail('nobody takes it');
    const interception = new Interception({
      originalDestination: () => ({ host: '10.0.0.7', port: 80 }),
      ownDials: new OwnDials(),
      isOwn: () => false,
      fromApp: { acceptRedirected: never },
      toApp: { acceptRedirected: never },
      terminator: { accept: never },
      mtls: () => undefined,
      onRefused: reason => refused.push(reason),
      clock,
      log: createLogger('silent', { write: () => {} }),
    });
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    t.ok(interception.inbound(accepted));
    if (beginning !== '') {
      client.write(beginning, 'latin1');
      await once(accepted, 'data');
    }
    clock.advance(4_999);
    t.same(refused, []);
    t.notOk(accepted.destroyed);
    clock.advance(1);
    t.same(refused, ['plain_text']);
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    t.equal(error.code, 'ECONNRESET');
    interception[Symbol.dispose]();
    server.close();
  });
