import type { ThriftFault } from './message-head.ts';

/** Finds the end of a struct whose bytes come in pieces, without building a value. Lives as long as one message. */
export interface Skipper {
  /** The struct has ended. */
  readonly done: boolean;
  /** '' or what is wrong with it: of no more use then. */
  readonly fault: ThriftFault | '';
  /** Reads from `at` up to `end`; the position behind what belongs to the struct, so `end` unless it is `done`. */
  feed(bytes: Buffer, at: number, end: number): number;
}
