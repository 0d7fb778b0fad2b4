import { type FieldList, Fields, fieldValue, type RequestHead, ResponseHead } from '../protocol/head.ts';
import { ERRORS, type ProxyError } from './proxy-error.ts';

/** An answer that the mesh makes itself. */
export interface Answer {
  readonly head: ResponseHead;
  readonly volatile: FieldList;
  readonly body: Buffer;
  /** '' unless the caller speaks gRPC. */
  readonly grpcStatus: string;
}

/** What the answer depends on, as far as it is known. */
export interface Asker {
  readonly head: RequestHead;
  readonly volatile: FieldList;
  /** The answer goes to another sidecar, which wants to know whether the app has seen anything. */
  readonly origin: { readonly link: boolean };
}

const EMPTY = Buffer.alloc(0);

/** `application/grpc`, with or without a subtype (`+proto`). */
export const isGrpc = (head: RequestHead): boolean =>
  (fieldValue(head.fields.list, 'content-type') ?? '').startsWith('application/grpc');

/**
 * The one place where errors become answers: status, `x-outrider-flag`, `x-outrider-detail`, `x-request-id` and one sentence; for gRPC
 * a trailers-only response (gRPC over HTTP/2, "Responses").
 */
export const answerTo = (error: ProxyError, asker: Asker): Answer => {
  const kind = ERRORS[error.code];
  const sentence = error.says ?? kind.sentence;
  const fields = ['x-outrider-flag', kind.flag];
  if (asker.origin.link) fields.push('outrider-processed', error.retry === 'not-sent' ? 'no' : 'unknown');
  const volatile = ['x-outrider-detail', error.detail];
  const requestId = fieldValue(asker.volatile, 'x-request-id');
  if (requestId !== undefined) volatile.push('x-request-id', requestId);
  if (isGrpc(asker.head)) {
    const grpcStatus = String(kind.grpc);
    fields.unshift(
      'content-type',
      'application/grpc',
      'grpc-status',
      grpcStatus,
      'grpc-message',
      encodeGrpcMessage(sentence),
    );
    return { head: new ResponseHead(200, new Fields(fields)), volatile, body: EMPTY, grpcStatus };
  }
  const body = asker.head.method === 'HEAD' ? EMPTY : Buffer.from(`${sentence}\n`);
  fields.unshift('content-type', 'text/plain; charset=utf-8');
  volatile.unshift('content-length', String(sentence.length + 1));
  return { head: new ResponseHead(kind.http, new Fields(fields)), volatile, body, grpcStatus: '' };
};

/**
 * The end of an answer that has begun, or undefined: it is cut off. A gRPC call whose time is up ends with a status, because a reset stream would
 * tell the caller that it had cancelled the call itself (gRPC over HTTP/2, "Errors").
 */
export const trailersTo = (error: ProxyError, asker: Asker): { list: FieldList; grpcStatus: string } | undefined => {
  const { grpc, sentence } = ERRORS[error.code];
  if (!ENDS_IN_TIME.has(error.code) || !isGrpc(asker.head)) return undefined;
  const grpcStatus = String(grpc);
  return {
    list: ['grpc-status', grpcStatus, 'grpc-message', encodeGrpcMessage(error.says ?? sentence)],
    grpcStatus,
  };
};

const ENDS_IN_TIME: ReadonlySet<string> = new Set(['DEADLINE_EXCEEDED', 'IDLE_TIMEOUT']);

/** Percent-encoding of grpc-message: everything but printable ASCII, and `%` itself. */
const encodeGrpcMessage = (message: string): string => message.replace(/[^\x20-\x24\x26-\x7e]/g, encodeURIComponent);
