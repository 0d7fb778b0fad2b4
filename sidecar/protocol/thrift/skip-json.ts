import { MAX_DEPTH, MAX_MESSAGE_BYTES } from './limits.ts';
import type { ThriftFault } from './message-head.ts';
import type { Skipper } from './skipper.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The end of a message in the JSON protocol, from inside its outermost list: brackets are counted, texts passed over. */
export class JsonSkipper implements Skipper {
  done = false;
  fault: ThriftFault | '' = '';
  private depth = 1;
  private inText = false;
  private escaped = false;
  private total = 0;

  feed(chunk: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.done && this.fault === '') this.readByte(chunk[at++] as number);
    this.total += at - start;
    if (this.total > MAX_MESSAGE_BYTES) this.fault = 'thrift_length';
    return at;
  }

  private readByte(byte: number): void {
    if (this.escaped) this.escaped = false;
    else if (byte === QUOTE) this.inText = !this.inText;
    else if (this.inText) this.escaped = byte === BACKSLASH;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++this.depth > MAX_DEPTH) this.fault = 'thrift_depth';
    } else if (byte === 0x5d || byte === 0x7d) {
      if (--this.depth === 0) this.done = true;
    }
  }
}
