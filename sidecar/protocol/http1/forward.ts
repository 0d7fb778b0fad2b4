import type { Duplex } from 'node:stream';
import type { FieldList, RequestHead } from '../head.ts';
import type { BufferAccount, ResponseSink, Upstream } from '../stream.ts';
import type { Http1ResponseHeads } from './response-heads.ts';

/** What all connections of one pool share. */
export interface Http1ClientContext {
  readonly heads: Http1ResponseHeads;
  readonly account: BufferAccount;
  /** The exchange is over and the connection takes another one. */
  onIdle(connection: Http1ClientConnection): void;
  /** Once; the connection is gone, or will be soon and must not be used any more. */
  onClose(connection: Http1ClientConnection): void;
}

/** The client side of one HTTP/1 connection, one exchange at a time. The socket is connected and was made with `allowHalfOpen: true`. */
export class Http1ClientConnection {
  readonly idle: boolean = true;
  constructor(_socket: Duplex, _context: Http1ClientContext) {}
  request(_sink: ResponseSink, _head: RequestHead, _volatile: FieldList, _end: boolean): Upstream {
    throw new Error('not yet');
  }
  /** Closes at once; an open exchange is reset. */
  close(): void {}
}
