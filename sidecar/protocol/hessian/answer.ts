import type { ProxyError } from '../../errors/proxy-error.ts';
import { type FieldList, Fields, fieldValue, ResponseHead } from '../head.ts';
import type { Downstream, RequestSink } from '../stream.ts';
import { HESSIAN_CONTENT_TYPE } from './call-heads.ts';
import { type FaultCode, faultReply } from './fault.ts';
import { MAX_REPLY_BYTES } from './limits.ts';
import { type HessianResult, parseReply } from './reply.ts';

/** The exchange that a call becomes. */
export interface CallSink extends RequestSink {
  /** How the answer counts: as an HTTP status. A fault sets it although the app says 200. */
  status: number;
}

/** How a fault counts in metrics, logs and outlier detection, although HTTP says 200: as the status that means the same. */
const STATUSES: Readonly<Record<Exclude<HessianResult, 'reply'>, number>> = { fault: 500, unknown_method: 404 };

/** More of the sentence of an answer is not passed on. */
const MAX_TEXT = 512;

/**
 * The way of an answer back to the caller of a call. What the app says passes unchanged, and its beginning is looked at for a fault; what the mesh says
 * becomes a fault with HTTP status 200, since Hessian's libraries show nothing of an answer with another status.
 */
export class HessianAnswer implements Downstream {
  /** Told when the reply is a fault. */
  sink: CallSink | undefined = undefined;
  private readonly downstream: Downstream;
  private readonly version: 1 | 2 | undefined;
  /** The answer of the mesh that is being received. */
  private mesh: { readonly head: ResponseHead; readonly volatile: FieldList; text: string } | undefined = undefined;
  /** The beginning of the reply, until it is known what it is. */
  private start: Buffer | undefined = undefined;

  /** `version`: of the faults that the caller reads; undefined: it is a sidecar, which makes them itself. */
  constructor(downstream: Downstream, version: 1 | 2 | undefined) {
    this.downstream = downstream;
    this.version = version;
  }

  sendInformational(head: ResponseHead): void {
    this.downstream.sendInformational(head);
  }

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    const fields = head.fields.list;
    const byMesh = fieldValue(fields, 'x-outrider-flag') !== undefined;
    if (byMesh && this.version !== undefined) {
      this.mesh = { head, volatile, text: '' };
      if (end) this.sendFault();
      return;
    }
    const readable = head.status === 200 && fieldValue(fields, 'content-encoding') === undefined;
    if (readable && !byMesh) this.start = NOTHING;
    this.downstream.sendHead(head, volatile, end);
  }

  sendData(chunk: Buffer, end: boolean): void {
    const { mesh } = this;
    if (mesh === undefined) {
      if (this.start !== undefined) this.look(this.start, chunk, end);
      this.downstream.sendData(chunk, end);
      return;
    }
    if (mesh.text.length < MAX_TEXT) mesh.text += chunk.toString('latin1', 0, MAX_TEXT);
    this.sink?.responseConsumed(chunk.length);
    if (end) this.sendFault();
  }

  sendTrailers(trailers: FieldList): void {
    if (this.mesh === undefined) this.downstream.sendTrailers(trailers);
    else this.sendFault();
  }

  reset(error: ProxyError): void {
    if (this.mesh === undefined) this.downstream.reset(error);
    else this.sendFault();
  }

  requestConsumed(bytes: number): void {
    this.downstream.requestConsumed(bytes);
  }

  private look(start: Buffer, chunk: Buffer, end: boolean): void {
    const more = chunk.subarray(0, MAX_REPLY_BYTES);
    const bytes = start.length === 0 ? more : Buffer.concat([start, more]);
    const result = parseReply(bytes, end);
    this.start = result === undefined ? bytes : undefined;
    if (result !== undefined && result !== 'reply' && this.sink !== undefined) this.sink.status = STATUSES[result];
  }

  private sendFault(): void {
    const { mesh, version, downstream } = this;
    if (mesh === undefined || version === undefined) return;
    this.mesh = undefined;
    const { head, volatile, text } = mesh;
    const flag = fieldValue(head.fields.list, 'x-outrider-flag') ?? '';
    const detail = fieldValue(volatile, 'x-outrider-detail') ?? '';
    const requestId = fieldValue(volatile, 'x-request-id') ?? '';
    const said = `${text.trim().slice(0, MAX_TEXT)} [flag=${flag} detail=${detail} request_id=${requestId}]`;
    const body = faultReply(version, codeOf(head.status), said);
    const rest = volatile.flatMap((name, i) =>
      i % 2 === 0 && name !== 'content-length' ? [name, volatile[i + 1] as string] : [],
    );
    const fields = new Fields(['content-type', HESSIAN_CONTENT_TYPE, 'x-outrider-flag', flag]);
    downstream.sendHead(new ResponseHead(200, fields), ['content-length', String(body.length), ...rest], false);
    downstream.sendData(body, true);
  }
}

const codeOf = (status: number): FaultCode => {
  if (status === 404) return 'NoSuchObjectException';
  return status === 400 ? 'ProtocolException' : 'ServiceException';
};

const NOTHING = Buffer.alloc(0);
