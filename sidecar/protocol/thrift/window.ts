import type { BufferAccount } from '../stream.ts';
import { WINDOW_BYTES } from './limits.ts';

/** The credit for one direction of one call, and the bytes that were delivered under it and are not passed on yet. */
export class Window {
  private held = 0;
  private readonly account: BufferAccount;

  constructor(account: BufferAccount) {
    this.account = account;
  }

  get left(): number {
    return WINDOW_BYTES - this.held;
  }

  use(bytes: number): void {
    this.held += bytes;
    this.account.hold(bytes);
  }

  giveBack(bytes: number): void {
    const released = Math.min(bytes, this.held);
    this.held -= released;
    this.account.release(released);
  }

  close(): void {
    this.giveBack(this.held);
  }
}
