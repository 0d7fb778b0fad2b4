import type { ProxyError } from '../errors/proxy-error.ts';
import type { Answer } from '../errors/respond-to-error.ts';
import { Exchange, type ExchangeContext } from '../exchange.ts';
import type { Origin } from '../origin.ts';
import { type FieldList, Fields, NO_FIELDS, RequestHead, ResponseHead } from '../protocol/head.ts';
import type { Downstream } from '../protocol/stream.ts';

/** Stands in for the head of a request that could not be read. */
const NO_HEAD = new RequestHead('', 'http', '', '', new Fields(NO_FIELDS));

/**
 * A request whose head (or, of an RPC, whose envelope) could not be taken becomes an exchange that ends at once: it is given an id, counted and logged, and answered as any other.
 * `context`: with the steps that see every answer, and no others.
 */
export const refuseRequest = (
  context: ExchangeContext,
  origin: Origin,
  downstream: Downstream,
  error: ProxyError,
  head: RequestHead = NO_HEAD,
  volatile: FieldList = NO_FIELDS,
): void => {
  const exchange = new Exchange(context, origin, downstream, head, volatile, true);
  exchange.resume();
  exchange.fail(error);
};

/** The answer to a request that has no stream: its codec writes it by itself. */
export const refusalOf = (
  context: ExchangeContext,
  origin: Origin,
  error: ProxyError,
): Pick<Answer, 'head' | 'volatile' | 'body'> => {
  const answer = new KeptAnswer();
  refuseRequest(context, origin, answer, error);
  return answer;
};

class KeptAnswer implements Downstream {
  head = new ResponseHead(500, new Fields(NO_FIELDS));
  volatile: FieldList = NO_FIELDS;
  body: Buffer = Buffer.alloc(0);
  sendHead(head: ResponseHead, volatile: FieldList): void {
    this.head = head;
    this.volatile = volatile;
  }
  sendData(chunk: Buffer): void {
    this.body = chunk;
  }
  sendInformational(): void {}
  sendTrailers(): void {}
  reset(): void {}
  requestConsumed(): void {}
}
