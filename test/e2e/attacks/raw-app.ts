/** An app that keeps every byte that reaches it, and answers what the test says: who judges a proxy must not depend on a parser's kindness. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export interface RawApp extends AsyncDisposable {
  readonly port: number;
  /** All that was received, latin1. */
  received: string;
  connections: number;
  /** Answers by path; others get a 200. */
  readonly answers: Map<string, string>;
}

/** It answers a head without a body at once, and one with a body when the last chunk or so many bytes are there. */
const isWhole = (text: string): boolean => {
  const end = text.indexOf('\r\n\r\n') + 4;
  if (end === 3) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? '0';
  if (/\r\ntransfer-encoding:/i.test(text.slice(0, end))) return text.endsWith('\r\n0\r\n\r\n');
  return text.length >= end + Number(length);
};

export const startRawApp = async (): Promise<RawApp> => {
  const open = new Set<net.Socket>();
  const server = net.createServer(socket => {
    app.connections++;
    open.add(socket);
    let pending = '';
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    socket.on('data', chunk => {
      app.received += chunk.toString('latin1');
      pending += chunk.toString('latin1');
      if (!isWhole(pending)) return;
      const path = /^[^ ]+ ([^ ?]+)/.exec(pending)?.[1] ?? '';
      pending = '';
      socket.write(app.answers.get(path) ?? OK, 'latin1');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const app: RawApp = {
    port: (server.address() as AddressInfo).port,
    received: '',
    connections: 0,
    answers: new Map(),
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return app;
};
