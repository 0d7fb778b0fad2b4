import type { Outbox } from '../outbox.ts';
import { DEFAULT_WINDOW } from './frames.ts';

/** A stream, as its connection's schedule sees it. */
export interface Sender {
  /** True while it stands in the queue. Owned by the schedule. */
  queued: boolean;
  readonly closed: boolean;
  /** It has something to send, and its own window allows some of it. */
  readonly sendable: boolean;
  /** Sends one frame, of at most `window` bytes of DATA. */
  sendQueued(window: number): void;
}

/**
 * Whose DATA goes out next: the connection's send window (RFC 9113 §6.9), and the streams that wait, one frame each in turn, as far as the
 * window and the socket go. Owned by the connection.
 */
export class SendSchedule {
  /** Bytes of DATA that the peer still takes on this connection. */
  window: number = DEFAULT_WINDOW;
  private readonly ready: Sender[] = [];
  private readonly outbox: Outbox;

  constructor(outbox: Outbox) {
    this.outbox = outbox;
  }

  /** True when `bytes` of DATA may go out at once, with nobody waiting before them. */
  mayWrite(bytes: number): boolean {
    return bytes <= this.window && this.ready.length === 0 && !this.outbox.congested;
  }

  /** Puts a stream that has something to send in line. */
  add(sender: Sender): void {
    if (!sender.queued) {
      sender.queued = true;
      this.ready.push(sender);
    }
    this.pump();
  }

  /** Sends what waits. */
  pump(): void {
    const { ready, outbox } = this;
    while (ready.length > 0 && this.window > 0 && !outbox.congested) {
      const sender = ready.shift() as Sender;
      if (sender.sendable) sender.sendQueued(this.window);
      if (!sender.closed && sender.sendable) ready.push(sender);
      else sender.queued = false;
    }
  }

  /** The connection is over. */
  clear(): void {
    this.ready.length = 0;
  }
}
