import type { Duplex } from 'node:stream';
import type { ProxyError } from '../../errors/proxy-error.ts';
import { Fields, NO_FIELDS, ResponseHead } from '../head.ts';
import type { BufferAccount, ResponseSink, Upstream } from '../stream.ts';
import { TcpPipe } from './pipe.ts';

const CONNECTED = (): ResponseHead => new ResponseHead(200, new Fields(NO_FIELDS));

/** The client's side of a raw TCP connection, made on a socket that is connected. */
export class TcpClientConnection implements Upstream {
  private readonly pipe: TcpPipe;
  private readonly sink: ResponseSink;

  constructor(socket: Duplex, sink: ResponseSink, account: BufferAccount, onClose: () => void) {
    this.sink = sink;
    this.pipe = new TcpPipe(socket, account, {
      data: (chunk, end) => sink.responseData(chunk, end),
      reset: error => sink.responseReset(error),
      sent: bytes => sink.requestConsumed(bytes),
      closed: onClose,
    });
  }

  /** The connection stands, and that is the answer's head. Call it once, when the exchange knows where its request goes. */
  begin(): void {
    this.sink.responseHead(CONNECTED(), NO_FIELDS, false);
  }

  sendData(chunk: Buffer, end: boolean): void {
    this.pipe.write(chunk, end);
  }

  sendTrailers(): void {
    this.pipe.write(Buffer.alloc(0), true);
  }

  reset(error: ProxyError): void {
    this.pipe.reset(error);
  }

  responseConsumed(bytes: number): void {
    this.pipe.consumed(bytes);
  }
}
