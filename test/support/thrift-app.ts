/** A Thrift server on bytes, as a user's app, and a client. What a method does is in `answer`. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import {
  applicationException,
  CALL,
  declaredException,
  type Message,
  ONEWAY,
  readThrift,
  thriftCall,
  thriftReply,
  type Wire,
} from './thrift-bytes.ts';

export interface ThriftApp extends AsyncDisposable {
  readonly port: number;
  readonly server: Server;
  /** Messages that arrived. */
  readonly seen: Message[];
  /** Most calls that one connection had unanswered at once. */
  mostOpen: number;
  /** Connections that were accepted. */
  connections: number;
}

const LATER_MS = 20;

/**
 * `echo` answers with its text, `big` with as many bytes as its text says, `declared` and `boom` with exceptions, `later` after a pause,
 * `never` not at all, `vanish` by ending the connection, `silent` with sequence number 0, `wrong` with another one. Other names are unknown.
 */
const answer = (wire: Wire, { name, sequence, text }: Message): Buffer | 'end' | undefined => {
  switch (name.slice(name.indexOf(':') + 1)) {
    case 'echo':
    case 'later':
      return thriftReply(wire, name, sequence, text);
    case 'big':
      return thriftReply(wire, name, sequence, 'x'.repeat(Number(text)));
    case 'declared':
      return declaredException(wire, name, sequence, text);
    case 'boom':
      return applicationException(wire, name, sequence, 'boom', 6);
    case 'silent':
      return thriftReply(wire, name, 0, text);
    case 'wrong':
      return thriftReply(wire, name, sequence + 1, text);
    case 'never':
      return undefined;
    case 'vanish':
      return 'end';
    default:
      return applicationException(wire, name, sequence, `Invalid method name: '${name}'`, 1);
  }
};

export const startThriftApp = async (wire: Wire): Promise<ThriftApp> => {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    app.connections++;
    sockets.add(socket);
    let bytes: Buffer = Buffer.alloc(0);
    let open = 0;
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const read = readThrift(wire, bytes);
        if (read === undefined) return;
        bytes = bytes.subarray(read.size);
        app.seen.push(read.message);
        if (read.message.type === ONEWAY) continue;
        app.mostOpen = Math.max(app.mostOpen, ++open);
        const reply = answer(wire, read.message);
        if (reply === 'end') socket.destroy();
        else if (reply !== undefined) {
          const say = (): void => {
            open--;
            socket.write(reply);
          };
          if (read.message.name.endsWith('later')) setTimeout(say, LATER_MS);
          else say();
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const app: ThriftApp = {
    port: (server.address() as AddressInfo).port,
    server,
    seen: [],
    mostOpen: 0,
    connections: 0,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return app;
};

/** One connection of a Thrift client. Replies are handed out in the order in which they come. */
export class ThriftClient implements Disposable {
  readonly socket: Socket;
  private readonly wire: Wire;
  private bytes: Buffer = Buffer.alloc(0);
  private readonly waiting: ((message: Message | undefined) => void)[] = [];
  private sequence = 1_000;

  constructor(port: number, wire: Wire) {
    this.wire = wire;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      for (const give of this.waiting.splice(0)) give(undefined);
    });
  }

  private receive(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    for (;;) {
      const read = readThrift(this.wire, this.bytes);
      if (read === undefined) return;
      this.bytes = this.bytes.subarray(read.size);
      this.waiting.shift()?.(read.message);
    }
  }

  /** The next reply; undefined when the connection ends first. */
  reply(): Promise<Message | undefined> {
    return new Promise(resolve => {
      if (this.socket.destroyed) resolve(undefined);
      else this.waiting.push(resolve);
    });
  }

  call(name: string, text: string, sequence = ++this.sequence): Promise<Message | undefined> {
    const reply = this.reply();
    this.socket.write(thriftCall(this.wire, name, sequence, text, CALL));
    return reply;
  }

  oneway(name: string, text: string): void {
    this.socket.write(thriftCall(this.wire, name, ++this.sequence, text, ONEWAY));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
