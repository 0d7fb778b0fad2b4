import type { Random } from '../../common/random.ts';
import type { ExchangeContext } from '../exchange.ts';
import { CONTINUE, type Step } from '../step.ts';
import { MirroredRequest } from './mirrored-request.ts';

/**
 * Sends a copy of the share of requests that the rule says to its mirror too. Tunnels (CONNECT, Upgrade) are not copied. `copies`: the life of a copy.
 * Envoy: request_mirror_policies; Gateway API: RequestMirror.
 */
export const mirrorRequest = (copies: ExchangeContext, random: Random): Step => ({
  begin: exchange => {
    const mirror = exchange.plan?.mirror;
    if (mirror === undefined || random() * 100 >= mirror.percent) return CONTINUE;
    const { method, protocol } = exchange.head;
    if (method === 'CONNECT' || protocol !== '') return CONTINUE;
    const copy = new MirroredRequest(copies, exchange, mirror);
    copy.start();
    exchange.copyTo(copy);
    return CONTINUE;
  },
});
