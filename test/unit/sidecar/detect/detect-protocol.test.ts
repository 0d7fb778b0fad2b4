import type net from 'node:net';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { detectHttp, detectProtocol, type Silence } from '../../../../sidecar/detect/detect-protocol.ts';

t.test('HTTP/2 is told by its preface, whatever its cut', t => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  for (let size = 0; size <= preface.length; size++)
    t.equal(detectHttp(preface.subarray(0, size)), size < 14 ? undefined : 'http2', `${size} bytes`);
  for (const text of ['GET / HTTP/1.1', 'P', 'PR', 'PRI * HTTP/2.1', 'PRO', '\x16\x03\x01', '\r\n'])
    t.equal(
      detectHttp(Buffer.from(text)),
      'PRI * HTTP/2.0'.startsWith(text) ? undefined : 'http1',
      JSON.stringify(text),
    );
  t.end();
});

const start = (silence?: Silence) => {
  const clock = manualClock();
  const socket = new PassThrough();
  const said: string[] = [];
  detectProtocol(
    socket as unknown as net.Socket,
    clock,
    detectHttp,
    (detected, bytes) => said.push(`${detected} ${bytes.toString()}`),
    () => said.push('closed'),
    silence,
  );
  return { clock, socket, said };
};

t.test('the bytes that were read are handed over, and no listener stays', t => {
  const { clock, socket, said } = start();
  socket.emit('data', Buffer.from('P'));
  t.same(said, []);
  socket.emit('data', Buffer.from('OST / HTTP/1.1\r\n'));
  t.same(said, ['http1 POST / HTTP/1.1\r\n']);
  t.equal(clock.pending, 0);
  for (const event of ['data', 'error']) t.equal(socket.listenerCount(event), 0, event);
  t.end();
});

t.test('who ends, fails or stays silent is let go, once', t => {
  const endings = {
    end: ({ socket }) => socket.emit('end'),
    error: ({ socket }) => socket.emit('error', new Error('reset')),
    close: ({ socket }) => socket.emit('close'),
    silence: ({ clock }) => clock.advance(60_000),
  } satisfies Record<string, (started: ReturnType<typeof start>) => unknown>;
  for (const [name, how] of Object.entries(endings)) {
    const started = start();
    started.socket.emit('data', Buffer.from('PRI'));
    how(started);
    t.ok(started.socket.destroyed, name);
    t.same(started.said, ['closed']);
    t.equal(started.clock.pending, 0);
  }
  t.end();
});

t.test('a client that waits for the server is handed over, one that has begun is waited for', t => {
  let silent = 0;
  const silence = { afterMs: 50, onSilent: () => silent++ };
  const quiet = start(silence);
  quiet.clock.advance(50);
  t.equal(silent, 1);
  t.notOk(quiet.socket.destroyed);
  t.equal(quiet.socket.listenerCount('data'), 0);
  const slow = start(silence);
  slow.socket.emit('data', Buffer.from('P'));
  slow.clock.advance(59_000);
  slow.socket.emit('data', Buffer.from('OST / HTTP/1.1\r\n'));
  t.same(slow.said, ['http1 POST / HTTP/1.1\r\n']);
  const stuck = start(silence);
  stuck.socket.emit('data', Buffer.from('P'));
  stuck.clock.advance(60_050);
  t.same(stuck.said, ['closed']);
  t.equal(silent, 1);
  t.end();
});
