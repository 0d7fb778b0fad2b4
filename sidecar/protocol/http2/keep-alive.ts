import type { Clock, Timer } from '../../../common/clock.ts';

/** How often a connection is looked at. */
const LOOK_MS = 5_000;

/**
 * Notices a peer that is gone without a FIN: a host that lost its power or its network, a process that hangs. A connection from which nothing came
 * between two looks is asked by a PING; when nothing came until the next look either, it is lost. That is after 10 to 15 s of silence.
 * One timer for each connection, and nothing per stream or frame. Owned by its connection. gRPC: keepalive.
 */
export class KeepAlive {
  /** Bytes came in. Set by the connection. */
  heard = true;
  private readonly clock: Clock;
  private timer: Timer | undefined = undefined;
  private asked = false;
  private lookedAtMs = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  start(ping: () => void, onLost: () => void): void {
    this.lookedAtMs = this.clock.nowMs();
    const look = (): void => {
      const nowMs = this.clock.nowMs();
      // We were away ourselves: what the peer has said meanwhile is not read yet.
      const late = nowMs - this.lookedAtMs > 2 * LOOK_MS;
      this.lookedAtMs = nowMs;
      if (this.asked && !this.heard && !late) return onLost();
      this.asked = !this.heard;
      this.heard = false;
      this.timer = this.clock.setTimer(LOOK_MS, look);
      if (this.asked) ping();
    };
    this.timer = this.clock.setTimer(LOOK_MS, look);
  }

  stop(): void {
    this.timer?.cancel();
  }
}
