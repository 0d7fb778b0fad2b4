import type { WindowAccount } from '../../../../sidecar/protocol/stream.ts';

/** Notes what is held and reserved. */
export class Account implements WindowAccount {
  held = 0;
  reserved = 0;
  roomToGrow = true;
  hold(bytes: number): void {
    this.held += bytes;
  }
  release(bytes: number): void {
    this.held -= bytes;
  }
  reserve(bytes: number): boolean {
    if (this.roomToGrow) this.reserved += bytes;
    return this.roomToGrow;
  }
  unreserve(bytes: number): void {
    this.reserved -= bytes;
  }
}
