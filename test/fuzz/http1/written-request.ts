import { strictEqual } from 'node:assert';
import type { FieldList, RequestHead } from '../../../sidecar/protocol/head.ts';
import { Http1ClientConnection } from '../../../sidecar/protocol/http1/forward.ts';
import { Http1ResponseHeads } from '../../../sidecar/protocol/http1/response-heads.ts';
import { Account } from '../../unit/sidecar/protocol/account.ts';
import { Recorder } from './recorder.ts';
import { readRequests } from './reference.ts';

/** A whole request as a server codec told it. */
export interface WholeRequest {
  readonly head: RequestHead;
  readonly volatile: FieldList;
  readonly body: string;
}

const nothing = (): void => {};
const SINK = {
  informational: nothing,
  responseHead: nothing,
  responseData: nothing,
  responseTrailers: nothing,
  responseReset: nothing,
  requestConsumed: nothing,
};

/** What the HTTP/1 client codec writes for it; '' when it refuses to. */
export const writtenRequest = ({ head, volatile, body }: WholeRequest, trailers: FieldList = []): string => {
  const socket = new Recorder();
  const connection = new Http1ClientConnection(socket, {
    heads: new Http1ResponseHeads(),
    account: new Account(),
    onIdle: nothing,
    onClose: nothing,
  });
  const end = body === '' && trailers.length === 0;
  const upstream = connection.request(SINK, head, volatile, end);
  if (body !== '') upstream.sendData(Buffer.from(body, 'latin1'), trailers.length === 0);
  if (trailers.length > 0) upstream.sendTrailers(trailers);
  const { text } = socket;
  connection.close();
  return text;
};

/** The plain second reading finds in it one request, and the same one. */
export const hasOneReading = (request: WholeRequest, trailers: FieldList, shown: string): void => {
  const { head, body } = request;
  const text = writtenRequest(request, trailers);
  if (text === '') return;
  const read = readRequests(text);
  strictEqual(read.length, 1, `${shown}: one request in ${JSON.stringify(text)}`);
  strictEqual(read[0]?.start, head.method, shown);
  strictEqual(read[0].target, `${head.authority} ${head.path}`, shown);
  strictEqual(read[0].whole, true, shown);
  strictEqual(read[0].body, body, shown);
};
