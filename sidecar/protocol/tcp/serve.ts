import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, Fields, NO_FIELDS, RequestHead, type ResponseHead } from '../head.ts';
import type { BufferAccount, Downstream, OnRequest, RequestSink } from '../stream.ts';
import { TcpPipe } from './pipe.ts';

const NO_STABLE_FIELDS = new Fields(NO_FIELDS);

/** The head of a raw TCP connection's exchange: CONNECT to `authority` (`host:port`). `scheme`: `https` where its bytes are known to be TLS. */
export const tcpRequestHead = (authority: string, scheme: 'http' | 'https' = 'http'): RequestHead =>
  new RequestHead('CONNECT', scheme, authority, '', NO_STABLE_FIELDS);

/** The server's side of a raw TCP connection: one connection is one exchange, whose bodies are the bytes. */
export class TcpServerConnection implements Downstream {
  private readonly pipe: TcpPipe;
  readonly sink: RequestSink;
  private refused = false;

  constructor(socket: Duplex, head: RequestHead, account: BufferAccount, onRequest: OnRequest, onClose: () => void) {
    this.pipe = new TcpPipe(socket, account, {
      data: (chunk, end) => this.sink.requestData(chunk, end),
      reset: error => this.sink.requestReset(proxyError('DOWNSTREAM_RESET', error.detail, error.cause)),
      sent: bytes => this.sink.responseConsumed(bytes),
      closed: onClose,
    });
    this.sink = onRequest(this, head, NO_FIELDS, false);
  }

  sendInformational(): void {}

  /** Nothing is said before the bytes; a refusal is a reset connection, since raw TCP has no words for it. */
  sendHead(head: ResponseHead, _volatile: FieldList, end: boolean): void {
    if (head.status === 200) {
      if (end) this.pipe.write(Buffer.alloc(0), true);
      return;
    }
    this.refused = true;
    this.pipe.abort();
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (!this.refused) this.pipe.write(chunk, end);
  }

  sendTrailers(): void {
    this.pipe.write(Buffer.alloc(0), true);
  }

  reset(error: ProxyError): void {
    this.pipe.reset(error);
  }

  requestConsumed(bytes: number): void {
    this.pipe.consumed(bytes);
  }
}
