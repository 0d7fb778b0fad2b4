import { proxyError } from '../errors/proxy-error.ts';
import { Exchange, type ExchangeContext, type RequestCopy } from '../exchange.ts';
import type { FieldList } from '../protocol/head.ts';
import type { Downstream } from '../protocol/stream.ts';
import type { Mirror } from './outbound-plan.ts';

/** A mirror that is so many bytes of the body behind is given up: it must not slow the request down, nor fill the memory. */
const MAX_BEHIND_BYTES = 65_536;

const TOO_SLOW = proxyError('DOWNSTREAM_RESET', 'mirror_too_slow');

/** A copy of a request on its way to the mirror of its rule. It takes what comes of the request, and what the mirror answers is dropped. */
export class MirroredRequest implements Downstream, RequestCopy {
  private readonly exchange: Exchange;
  /** Of the request body: taken, and not passed on yet. */
  private behindBytes = 0;
  private over = false;

  constructor(context: ExchangeContext, of: Exchange, { plan, backend }: Mirror) {
    this.exchange = new Exchange(context, of.origin, this, of.head, of.volatile, of.headOnly);
    this.exchange.plan = plan;
    this.exchange.backend = backend;
  }

  start(): void {
    this.exchange.resume();
  }

  requestData(chunk: Buffer, end: boolean): void {
    if (this.over) return;
    this.behindBytes += chunk.length;
    this.exchange.context.account.hold(chunk.length);
    if (this.behindBytes > MAX_BEHIND_BYTES) this.giveUp(TOO_SLOW);
    else this.exchange.requestData(chunk, end);
  }

  requestTrailers(trailers: FieldList): void {
    if (!this.over) this.exchange.requestTrailers(trailers);
  }

  giveUp(error = TOO_SLOW): void {
    if (this.over) return;
    this.end();
    this.exchange.requestReset(error);
  }

  sendInformational(): void {}

  sendHead(_head: unknown, _volatile: FieldList, end: boolean): void {
    if (end) this.end();
  }

  sendData(chunk: Buffer, end: boolean): void {
    this.exchange.responseConsumed(chunk.length);
    if (end) this.end();
  }

  sendTrailers(): void {
    this.end();
  }

  reset(): void {
    this.end();
  }

  requestConsumed(bytes: number): void {
    const given = Math.min(bytes, this.behindBytes);
    this.behindBytes -= given;
    this.exchange.context.account.release(given);
  }

  /** Nothing more is taken. */
  private end(): void {
    this.over = true;
    this.requestConsumed(this.behindBytes);
  }
}
