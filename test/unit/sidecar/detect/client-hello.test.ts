import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import * as fc from 'fast-check';
import t from 'tap';
import { parseClientHello } from '../../../../sidecar/detect/client-hello.ts';

const server = net.createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
t.teardown(() => server.close());

/** What Node says first, as a server gets it. */
const helloOf = async (options: ConnectionOptions): Promise<Buffer> => {
  const accepted = once(server, 'connection');
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ...options });
  client.on('error', () => {});
  const [socket] = (await accepted) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  return bytes;
};

const HELLOS = {
  bare: { options: { servername: '' }, told: { serverName: '', alpn: [] } },
  named: {
    options: { servername: 'API.Payments.example', ALPNProtocols: ['h2', 'http/1.1'] },
    told: { serverName: 'api.payments.example', alpn: ['h2', 'http/1.1'] },
  },
  mesh: { options: { servername: '', ALPNProtocols: ['outrider/1'] }, told: { serverName: '', alpn: ['outrider/1'] } },
  old: {
    options: { servername: 'old.example', maxVersion: 'TLSv1.2' },
    told: { serverName: 'old.example', alpn: [] },
  },
} as const;
const hellos = new Map<string, Buffer>();
for (const [name, { options }] of Object.entries(HELLOS))
  hellos.set(name, await helloOf(options as unknown as ConnectionOptions));
const hello = (name: keyof typeof HELLOS): Buffer => hellos.get(name) as Buffer;

/** The same message in records of at most `size` bytes. */
const inRecords = (bytes: Buffer, size: number): Buffer => {
  const message = bytes.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
};

t.test('name and application protocols are read from what Node says', t => {
  for (const [name, { told }] of Object.entries(HELLOS)) t.same(parseClientHello(hellos.get(name) as Buffer), told);
  t.end();
});

t.test('cut at any byte nothing is told before the end, and then the same', t => {
  for (const bytes of hellos.values())
    for (let size = 0; size < bytes.length; size++) t.equal(parseClientHello(bytes.subarray(0, size)), undefined);
  t.end();
});

t.test('a message in many records is the same message', t => {
  const { told } = HELLOS.named;
  for (const size of [1, 2, 3, 5, 100]) {
    const bytes = inRecords(hello('named'), size);
    t.same(parseClientHello(bytes), told, `records of ${size}`);
    t.equal(parseClientHello(bytes.subarray(0, -1)), undefined);
  }
  t.end();
});

t.test('what follows the message does not matter', t => {
  t.same(parseClientHello(Buffer.concat([hello('named'), Buffer.from('early data')])), HELLOS.named.told);
  t.end();
});

t.test('what is no ClientHello is told at once', t => {
  const none = {
    'no handshake': [23, 3, 3, 0, 1],
    'no TLS': [22, 2, 0],
    'an empty record': [22, 3, 1, 0, 0],
    'a record that is too long': [22, 3, 1, 0x40, 1],
    'another message': [22, 3, 3, 0, 10, 2],
    'a message that is too long': [22, 3, 1, 0, 4, 1, 1, 0, 0],
    'a message without content': [22, 3, 1, 0, 4, 1, 0, 0, 0],
    'another record in the middle': [22, 3, 1, 0, 4, 1, 0, 1, 0, 23],
  };
  for (const [what, bytes] of Object.entries(none)) t.equal(parseClientHello(Buffer.from(bytes)), null, what);
  t.end();
});

t.test('a name that is no host name is none', t => {
  const bytes = Buffer.from(hello('named'));
  const at = bytes.indexOf('API.Payments.example');
  for (const name of ['a b.Payments.example', '../.Payments.exampl', 'API..ayments.example']) {
    bytes.write(name.padEnd(20, '.').slice(0, 20), at, 'latin1');
    t.equal(parseClientHello(bytes)?.serverName, '', name);
  }
  t.end();
});

t.test('whatever comes, it is a verdict and no exception', t => {
  const verdict = (bytes: Buffer): void => {
    const told = parseClientHello(bytes);
    t.ok(told === undefined || told === null || typeof told.serverName === 'string');
  };
  const record = (body: Uint8Array): Buffer => {
    const message = Buffer.from([1, 0, body.length >> 8, body.length & 255, ...body]);
    return Buffer.from([22, 3, 1, message.length >> 8, message.length & 255, ...message]);
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), body => {
      verdict(Buffer.from(body));
      verdict(record(body));
    }),
    { numRuns: 500 },
  );
  const edits = fc.array(fc.tuple(fc.nat(5_000), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(edits, changes => {
      const bytes = Buffer.from(hello('named'));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      verdict(bytes);
    }),
    { numRuns: 500 },
  );
  t.end();
});
