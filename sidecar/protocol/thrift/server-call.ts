import { type FieldList, fieldValue, type ResponseHead } from '../head.ts';
import type { Downstream, RequestSink } from '../stream.ts';
import { applicationException, INTERNAL_ERROR, PROTOCOL_ERROR, UNKNOWN_METHOD } from './application-exception.ts';
import { THRIFT_CONTENT_TYPE, type ThriftCallInfo } from './call-heads.ts';
import { withFrameLength } from './credited-writer.ts';
import type { MessageStart } from './message-reader.ts';
import type { Window } from './window.ts';

/** What a call needs of its connection. */
export interface CallOwner {
  write(call: ThriftServerCall, chunk: Buffer, credit: number): void;
  requestConsumed(call: ThriftServerCall, bytes: number): void;
  /** The answer is complete. */
  answered(call: ThriftServerCall): void;
  /** The answer can't be completed. */
  abort(call: ThriftServerCall): void;
}

/** More of the sentence of an answer is not passed on. */
const MAX_TEXT = 512;

/** One call on its way back to the caller: replies are written as they come, answers of the mesh become a `TApplicationException`. */
export class ThriftServerCall implements Downstream {
  readonly start: MessageStart;
  readonly info: ThriftCallInfo;
  /** Set when the exchange has begun. */
  sink: RequestSink | undefined = undefined;
  over = false;
  /** All of its answer is out. Set by the connection. */
  answered = false;
  /** What of the request is not passed on yet. */
  readonly window: Window;
  /** Some of the reply was written. */
  replied = false;
  private readonly owner: CallOwner;
  private frameBytes = -1;
  /** The answer of the mesh that is being received. */
  private mesh: { readonly head: ResponseHead; readonly volatile: FieldList; text: string } | undefined = undefined;

  constructor(owner: CallOwner, start: MessageStart, info: ThriftCallInfo, window: Window) {
    this.owner = owner;
    this.start = start;
    this.info = info;
    this.window = window;
  }

  sendInformational(): void {}

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (!this.info.oneway) {
      if (fieldValue(head.fields.list, 'content-type') !== THRIFT_CONTENT_TYPE)
        this.mesh = { head, volatile, text: '' };
      else if (this.info.transport !== 'unframed') {
        this.frameBytes = Number(fieldValue(volatile, 'content-length') ?? '-1');
        if (this.frameBytes < 0) return this.owner.abort(this);
      }
    }
    if (end) this.finish();
  }

  sendData(chunk: Buffer, end: boolean): void {
    const { mesh, owner } = this;
    if (mesh !== undefined || this.info.oneway) {
      if (mesh !== undefined && mesh.text.length < MAX_TEXT) mesh.text += chunk.toString('latin1');
      this.sink?.responseConsumed(chunk.length);
    } else if (chunk.length > 0) {
      this.replied = true;
      const piece = this.frameBytes < 0 ? chunk : withFrameLength(this.frameBytes, chunk);
      this.frameBytes = -1;
      owner.write(this, piece, chunk.length);
    }
    if (end) this.finish();
  }

  sendTrailers(): void {
    this.finish();
  }

  reset(): void {
    if (this.info.oneway) this.finish();
    else this.owner.abort(this);
  }

  requestConsumed(bytes: number): void {
    this.owner.requestConsumed(this, bytes);
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    if (this.mesh !== undefined) this.owner.write(this, this.exception(this.mesh), 0);
    this.owner.answered(this);
  }

  /** What the mesh answered, in words that a Thrift client shows its caller. */
  private exception({ head, volatile, text }: { head: ResponseHead; volatile: FieldList; text: string }): Buffer {
    const flag = fieldValue(head.fields.list, 'x-outrider-flag') ?? '';
    const detail = fieldValue(volatile, 'x-outrider-detail') ?? '';
    const requestId = fieldValue(volatile, 'x-request-id') ?? '';
    const { name, sequence, protocol } = this.start;
    return applicationException({
      transport: this.info.transport,
      protocol,
      name,
      sequence,
      type: exceptionType(head.status),
      text: `${text.trim().slice(0, MAX_TEXT)} [flag=${flag} detail=${detail} request_id=${requestId}]`,
    });
  }
}

const exceptionType = (status: number): number => {
  if (status === 404) return UNKNOWN_METHOD;
  return status === 400 ? PROTOCOL_ERROR : INTERNAL_ERROR;
};
