import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import { type FieldList, Fields, NO_FIELDS, RequestHead, type ResponseHead } from '../protocol/head.ts';
import type { BufferAccount, Downstream, OnRequest, RequestSink } from '../protocol/stream.ts';
import { TcpPipe } from '../protocol/tcp/pipe.ts';

const EMPTY = Buffer.alloc(0);
const NO_STABLE_FIELDS = new Fields(NO_FIELDS);
const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n');

/**
 * A CONNECT that leads out of the mesh: one exchange whose bodies are the bytes. The client is told that the tunnel stands when the connection does,
 * and otherwise why it does not (RFC 9110 §9.3.6).
 */
export class ConnectTunnel implements Downstream {
  private readonly pipe: TcpPipe;
  /** Undefined while the exchange is made, which may answer at once. */
  readonly sink: RequestSink | undefined;

  constructor(
    socket: Duplex,
    authority: string,
    requestId: string,
    account: BufferAccount,
    onRequest: OnRequest,
    onClose: () => void,
  ) {
    this.pipe = new TcpPipe(socket, account, {
      data: (chunk, end) => this.sink?.requestData(chunk, end),
      reset: error => this.sink?.requestReset(proxyError('DOWNSTREAM_RESET', error.detail, error.cause)),
      sent: bytes => this.sink?.responseConsumed(bytes),
      closed: onClose,
    });
    const head = new RequestHead('CONNECT', 'http', authority, '', NO_STABLE_FIELDS);
    this.sink = onRequest(this, head, ['x-request-id', requestId], false);
  }

  sendInformational(): void {}

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (head.status === 200) this.write(ESTABLISHED);
    else this.write(refusal(head, volatile));
    if (end) this.pipe.write(EMPTY, true);
  }

  sendData(chunk: Buffer, end: boolean): void {
    this.pipe.write(chunk, end);
  }

  sendTrailers(): void {
    this.pipe.write(EMPTY, true);
  }

  reset(error: ProxyError): void {
    this.pipe.reset(error);
  }

  requestConsumed(bytes: number): void {
    this.pipe.consumed(bytes);
  }

  private write(head: Buffer): void {
    this.pipe.write(head, false);
  }
}

const refusal = (head: ResponseHead, volatile: FieldList): Buffer => {
  const fields = [...head.fields.list, ...volatile, 'connection', 'close'];
  let text = `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`);
};
