import type { Clock, Timer } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import { Exchange } from '../exchange.ts';
import type { RequestSink } from '../protocol/stream.ts';
import type { Cluster } from '../upstream/cluster.ts';

const IDLE = proxyError('IDLE_TIMEOUT', 'idle_timeout');

/** Looks in one idle timeout: what is idle is noticed at most two looks late. */
const LOOKS_PER_TIMEOUT = 8;
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 10_000;

export interface IdleSweepOptions {
  /** What the app's connections carry at this moment. */
  readonly open: () => Iterable<RequestSink>;
  /** All clusters whose policies may have an idle timeout. */
  readonly clusters: () => Iterable<Cluster>;
  readonly clock: Clock;
}

/** What was seen of an exchange when it last moved. */
interface Seen {
  moved: number;
  sinceMs: number;
}

/** So many exchanges were ended, by the service that they went to. */
export interface IdleCount {
  readonly service: string;
  readonly namespace: string;
  count: number;
}

/**
 * Ends what has moved no byte in either direction for longer than the policy of its destination allows: requests, streams, tunnels and raw TCP
 * connections alike. It looks at what is open now and then, so that a request which ends in time costs nothing; the price is that an end comes up
 * to a quarter of the timeout late. Owned by the proxy. Envoy: stream_idle_timeout, tcp_proxy.idle_timeout.
 */
export class IdleSweep implements Disposable {
  private readonly options: IdleSweepOptions;
  private readonly seen = new WeakMap<Exchange, Seen>();
  private readonly counts = new Map<string, IdleCount>();
  private timer: Timer | undefined = undefined;

  constructor(options: IdleSweepOptions) {
    this.options = options;
  }

  /** Goes on at the pace of the present policies. To be called when they may have changed. */
  start(): void {
    this.timer?.cancel();
    let least = Number.POSITIVE_INFINITY;
    for (const { policy } of this.options.clusters())
      if (policy.idleTimeoutMs > 0) least = Math.min(least, policy.idleTimeoutMs);
    const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, least / LOOKS_PER_TIMEOUT));
    this.timer = this.options.clock.setTimer(pauseMs, () => {
      this.sweep();
      this.start();
    });
  }

  /** How many were ended so far. */
  ended(): Iterable<IdleCount> {
    return this.counts.values();
  }

  [Symbol.dispose](): void {
    this.timer?.cancel();
  }

  private sweep(): void {
    const nowMs = this.options.clock.nowMs();
    for (const sink of this.options.open()) {
      const open = sink.behind ?? sink;
      if (!(open instanceof Exchange) || open.done) continue;
      const cluster = open.backend?.cluster;
      const idleMs = cluster?.policy.idleTimeoutMs ?? 0;
      if (cluster === undefined || idleMs === 0 || nowMs - this.movedAtMs(open, nowMs) < idleMs) continue;
      this.count(cluster);
      open.fail(IDLE);
    }
  }

  /** When the exchange moved last, as far as it was seen. */
  private movedAtMs(exchange: Exchange, nowMs: number): number {
    // The head of the answer is a movement too.
    const moved = exchange.requestBytes + exchange.responseBytes + exchange.status;
    const seen = this.seen.get(exchange);
    if (seen === undefined) {
      const sinceMs = moved === 0 ? exchange.startedAtMs : nowMs;
      this.seen.set(exchange, { moved, sinceMs });
      return sinceMs;
    }
    if (seen.moved !== moved) {
      seen.moved = moved;
      seen.sinceMs = nowMs;
    }
    return seen.sinceMs;
  }

  private count({ name, namespace }: Cluster): void {
    const key = `${name}.${namespace}`;
    const known = this.counts.get(key);
    if (known === undefined) this.counts.set(key, { service: name, namespace, count: 1 });
    else known.count++;
  }
}
