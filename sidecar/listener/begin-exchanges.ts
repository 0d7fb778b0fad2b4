import { Exchange, type ExchangeContext } from '../exchange.ts';
import type { Origin } from '../origin.ts';
import type { RequestHead } from '../protocol/head.ts';
import type { HessianHeads } from '../protocol/hessian/call-heads.ts';
import { HessianServerCall, type HessianServerOptions, mayBeHessian } from '../protocol/hessian/serve.ts';
import type { OnRequest } from '../protocol/stream.ts';
import { refuseRequest } from './refuse-request.ts';

export interface ExchangeContexts {
  readonly exchange: ExchangeContext;
  /** Of requests whose head could not be read. */
  readonly refused: ExchangeContext;
}

export interface HessianCalls {
  readonly heads: HessianHeads;
  /** The callers are apps: what the mesh answers them is a fault. */
  readonly answersFaults: boolean;
  /** The port that a request is for is declared as Hessian. */
  readonly isDeclared: (head: RequestHead) => boolean;
}

/** Makes an exchange of each request of one origin; of a Hessian call, as soon as its body has said its method. */
export const beginExchanges = (contexts: ExchangeContexts, origin: Origin, hessian: HessianCalls): OnRequest => {
  const { exchange: context, refused } = contexts;
  const { heads, answersFaults, isDeclared } = hessian;
  const begin: HessianServerOptions['begin'] = (downstream, head, volatile, end) => {
    const exchange = new Exchange(context, origin, downstream, head, volatile, end);
    exchange.resume();
    return exchange;
  };
  const calls: HessianServerOptions = {
    answersFaults,
    heads,
    account: context.account,
    clock: context.clock,
    begin,
    refuse: (downstream, head, volatile, error) => refuseRequest(refused, origin, downstream, error, head, volatile),
  };
  return (downstream, head, volatile, end) =>
    mayBeHessian(head, end, isDeclared)
      ? new HessianServerCall(downstream, head, volatile, calls)
      : begin(downstream, head, volatile, end);
};
