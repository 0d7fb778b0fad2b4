import { RequestHead } from '../protocol/head.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import { normalPath } from './normal-path.ts';
import type { Routing } from './routing.ts';
import { isThrift } from './rpc-labels.ts';

/**
 * Gives the path its normal form, as `MeshConfig` says: what is matched, admitted, counted, logged and sent on is the same, whatever spelling
 * came. The result is kept with the head. Answers DOWNSTREAM_PROTOCOL for what has no normal form.
 */
export const normalizePath = (routing: Pick<Routing, 'table'>): Step => ({
  begin: exchange => {
    const { head } = exchange;
    const { pathNormalization } = routing.table;
    if (head.normalizedBy !== pathNormalization) {
      // CONNECT has no path, OPTIONS may have `*`, and that of a Thrift call is our own.
      const path = !head.path.startsWith('/') || isThrift(head) ? head.path : normalPath(head.path, pathNormalization);
      if (typeof path !== 'string') {
        exchange.fail(path);
        return STOP;
      }
      head.normal = path === head.path ? head : withPath(head, path);
      head.normalizedBy = pathNormalization;
    }
    exchange.head = head.normal ?? head;
    return CONTINUE;
  },
});

const withPath = (head: RequestHead, path: string): RequestHead => {
  const { method, scheme, authority, fields, protocol, link, rpcMethod } = head;
  return new RequestHead(method, scheme, authority, path, fields, protocol, link, rpcMethod);
};
