import { MAX_MESSAGE_BYTES } from './limits.ts';
import {
  type MessageHead,
  type Parsed,
  parseMessageHead,
  type ThriftFault,
  type ThriftProtocol,
} from './message-head.ts';
import { BinarySkipper } from './skip-binary.ts';
import { CompactSkipper } from './skip-compact.ts';
import { JsonSkipper } from './skip-json.ts';
import type { Skipper } from './skipper.ts';
import { parseTHeader } from './theader.ts';

export const TRANSPORTS = ['framed', 'unframed', 'header'] as const;
export type ThriftTransport = (typeof TRANSPORTS)[number];

/** The beginning of a message. Positions are in the bytes that were read. */
export interface MessageStart extends MessageHead {
  readonly protocol: ThriftProtocol;
  /** Where the message as it crosses the link begins: behind the frame's length. */
  readonly messageAt: number;
  /** Its bytes; -1 when only its end will tell. */
  readonly bytes: number;
  /** Of the THeader, name after value; empty without one. */
  readonly headers: readonly string[];
  /** Where the THeader's own sequence number is; -1 without one. */
  readonly headerSequenceAt: number;
}

const NO_HEADERS: readonly string[] = [];

/** Reads one message at `at`, in its transport, up to where its struct begins. */
export const parseMessageStart = (
  transport: ThriftTransport,
  protocol: ThriftProtocol,
  bytes: Buffer,
  at: number,
): Parsed<MessageStart> => {
  if (transport === 'unframed')
    return startOf(parseMessageHead(protocol, bytes, at, Number.POSITIVE_INFINITY), protocol, at, -1);
  if (bytes.length < at + 4) return undefined;
  const length = bytes.readInt32BE(at);
  if (length <= 0 || length > MAX_MESSAGE_BYTES) return 'thrift_length';
  return parseMessage(transport, protocol, bytes, at + 4, length);
};

/** The same behind the frame's length, as it crosses the link. `length` -1: unframed. */
export const parseMessage = (
  transport: ThriftTransport,
  protocol: ThriftProtocol,
  bytes: Buffer,
  at: number,
  length: number,
): Parsed<MessageStart> => {
  const end = length < 0 ? Number.POSITIVE_INFINITY : at + length;
  if (transport !== 'header') return startOf(parseMessageHead(protocol, bytes, at, end), protocol, at, length);
  const header = parseTHeader(bytes, at, end);
  if (header === undefined || typeof header === 'string') return header;
  const head = parseMessageHead(header.protocol, bytes, header.payloadAt, end);
  return startOf(head, header.protocol, at, length, header.headers, header.sequenceAt);
};

const startOf = (
  head: Parsed<MessageHead>,
  protocol: ThriftProtocol,
  messageAt: number,
  bytes: number,
  headers = NO_HEADERS,
  headerSequenceAt = -1,
): Parsed<MessageStart> =>
  head === undefined || typeof head === 'string'
    ? head
    : { ...head, protocol, messageAt, bytes, headers, headerSequenceAt };

const skipperFor = (protocol: ThriftProtocol): Skipper => {
  if (protocol === 'binary') return new BinarySkipper();
  return protocol === 'compact' ? new CompactSkipper() : new JsonSkipper();
};

/** Tells where a message whose beginning was read ends. Lives as long as the message. */
export class MessageEnd {
  /** What is left of a frame; of an unframed message what is left before its struct. */
  private left: number;
  private readonly skipper: Skipper | undefined;

  constructor({ protocol, bytes, messageAt, bodyAt }: MessageStart) {
    this.left = bytes < 0 ? bodyAt - messageAt : bytes;
    this.skipper = bytes < 0 ? skipperFor(protocol) : undefined;
  }

  get reached(): boolean {
    return this.left === 0 && (this.skipper === undefined || this.skipper.done);
  }

  get fault(): ThriftFault | '' {
    return this.skipper?.fault ?? '';
  }

  /** The position in `bytes` behind what belongs to the message, at most `end`. */
  pass(bytes: Buffer, at: number, end: number): number {
    const head = Math.min(this.left, end - at);
    this.left -= head;
    return this.left > 0 || this.skipper === undefined ? at + head : this.skipper.feed(bytes, at + head, end);
  }
}
